/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence going through a model with state, call after call, each of any number of positions.
 *
 * One or two programs of the same model serve it: one for many positions at once, one for a single position. They share the
 * states, which lie in the device's memory, twice: a step reads one copy and writes the other, and the next step the other way
 * round. Each program has a request for either direction, bound to them once; between steps nothing is copied or recorded.
 *
 * One thread at a time.
 */
#ifndef TARN_DYN_SEQUENCE_H
#define TARN_DYN_SEQUENCE_H

#include "dyn/state.h"
#include "rt/program.h"

typedef struct tarn_sequence tarn_sequence;

typedef struct tarn_sequence_facts {
	int64_t past;         /* positions so far */
	int64_t steps;        /* inferences since the sequence was made */
	int64_t positions;    /* they had, padding not counted */
	int64_t state_bytes;  /* of one copy of all states */
	int64_t state_copied; /* bytes of states that went through the host, by get, set and reset */
	int64_t copied;       /* bytes of tensors copied because they were not the device's */
	double total_ms;      /* wall clock of all steps */
	double run_ms;        /* of that, waiting for the device */
	double device_ms;     /* what the device says they took; NAN: it does not say */
	double device_band;   /* of a modelled device_ms; NAN: measured, or unknown */
	bool device_modelled;
} tarn_sequence_facts;

/* Takes references to the programs: `many` or `one` may be NULL. Their models were rewritten by tarn_model_stateful, from one
 * model, with the same states and window. */
TARN_MUST tarn_err tarn_sequence_new(tarn_program *many, tarn_program *one, const tarn_state *many_state,
				     const tarn_state *one_state, tarn_sequence **s);
void tarn_sequence_free(tarn_sequence *s);
/* Data for the next runs, of true sizes; a reference is kept. TARN_NOT_FOUND lists the inputs there are. */
TARN_MUST tarn_err tarn_sequence_set(tarn_sequence *s, const char *name, const tarn_tensor *t);
/* All positions of the inputs, in as many steps as it takes. TARN_SHAPE when the window would overflow; nothing has happened
 * then. After any other error the sequence stands where its last whole step ended. */
TARN_MUST tarn_err tarn_sequence_run(tarn_sequence *s);
/* An output of the last run, all its positions; borrowed until the next run. */
TARN_MUST tarn_err tarn_sequence_get(tarn_sequence *s, const char *name, const tarn_tensor **t);
/* Back to the beginning: no positions, states of zeros. */
TARN_MUST tarn_err tarn_sequence_rewind(tarn_sequence *s);
/* A copy of a state by the name of its input, valid positions only; and the reverse, which sets the number of positions when
 * the state grows. */
TARN_MUST tarn_err tarn_sequence_save(tarn_sequence *s, const char *name, tarn_tensor *t);
TARN_MUST tarn_err tarn_sequence_restore(tarn_sequence *s, const char *name, const tarn_tensor *t);
void tarn_sequence_facts_get(const tarn_sequence *s, tarn_sequence_facts *f);

#endif

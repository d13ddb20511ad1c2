/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models with state: what one call leaves behind is what the next one begins with. Language models with a cache, recurrent
 * networks, streams.
 *
 * The model may be as its exporter made it: caches that grow with every call, free numbers of positions. A sequence makes it
 * static (a window of fixed size, positions and masks handled), keeps the states in the device's memory, and takes calls of any
 * number of positions, cutting them into steps where that provably changes nothing. Feed inputs of their true sizes, without
 * the states; take outputs of true sizes.
 *
 *     tarn_state_options options = {.window = 256, .step = 16};
 *     tarn_sequence_open(core, model, "NPU", &options, 0, NULL, &sequence);
 *     tarn_sequence_set_tensor(sequence, "input_ids", ids);     the whole prompt; later, one token
 *     tarn_sequence_infer(sequence);
 *     tarn_sequence_get_tensor(sequence, "logits", &logits);
 *
 * A sequence is used by one thread at a time. Rules as in <tarn/model.h>.
 */
#ifndef TARN_STATE_H
#define TARN_STATE_H

#include "openvino/c/openvino.h"

#ifdef __cplusplus
extern "C" {
#endif
#define TARN_API __attribute__((visibility("default")))

typedef struct tarn_state_options {
	/* "OUTPUT=INPUT" for each state; none: variables of an IR, and caches that grow, are found. */
	const char *const *states;
	size_t n_states;
	int64_t window; /* positions a growing cache holds; needed when there is one */
	/* Positions of one inference when there are many to do; 0: 16, or the window if that is less; 1: always one. */
	int64_t step;
	int64_t batch; /* for other free dimensions of states; 0: 1 */
} tarn_state_options;

/* A state of a model. Text for ov_free. */
typedef struct tarn_state_info {
	char *input, *output;
	int axis; /* along which it grows; -1: of one size */
} tarn_state_info;
/* State `index`: of a model that was made stateful, else a cache that grows. NOT_FOUND: there are fewer. */
TARN_API ov_status_e tarn_get_state(const ov_model_t *model, size_t index, tarn_state_info *info);
TARN_API void tarn_free_state(tarn_state_info *info);

/* Rewrites the model for steps of options->step positions (0: 1): an ordinary static model, to be saved or run by anyone. Its
 * additional inputs, all int64 [1]: past_length, positions before the call; valid_length, those of the call (unless a step is
 * one) and those of the window, the call's included. The outputs of its states are its next inputs as they are; they begin as
 * zeros. NOT_IMPLEMENTED names the node that stands in the way: the model is then as before. */
TARN_API ov_status_e tarn_make_stateful(const ov_model_t *model, const tarn_state_options *options);

/* What a rewritten model takes, for whoever runs it otherwise. Texts for tarn_free_stateful. */
typedef struct tarn_stateful_info {
	int64_t window, step; /* 0: nothing grows; calls have no positions */
	char *past_input;     /* takes the positions before the call; NULL: nothing grows */
	char *step_length;    /* takes the valid positions of the call; NULL: all are */
	char *window_length;  /* takes the valid positions of the window, the call's included; NULL: likewise */
	char *whole;          /* why a long call cannot be cut into several; NULL: it can */
	char *exact;          /* why a short call cannot be padded; NULL: it can */
} tarn_stateful_info;
/* NOT_FOUND: the model was not made stateful. */
TARN_API ov_status_e tarn_get_stateful(const ov_model_t *model, tarn_stateful_info *info);
TARN_API void tarn_free_stateful(tarn_stateful_info *info);

typedef struct tarn_sequence_handle tarn_sequence_t;
/* Compiles for the device, with those properties (may be none): the program of many positions, and that of one. A model that
 * was made stateful before is compiled as it is, and the options are not looked at. The model itself stays as it was.
 * NOT_IMPLEMENTED as for tarn_make_stateful, or a sentence of the device's compiler. */
TARN_API ov_status_e tarn_sequence_open(const ov_core_t *core, const ov_model_t *model, const char *device_name,
					const tarn_state_options *options, size_t num_properties,
					const ov_property_t *properties, tarn_sequence_t **sequence);
TARN_API void tarn_sequence_close(tarn_sequence_t *sequence);

/* An input other than a state. The tensor is read during the runs that follow, not copied now. */
TARN_API ov_status_e tarn_sequence_set_tensor(tarn_sequence_t *sequence, const char *name, const ov_tensor_t *tensor);
/* Runs all positions of the inputs. PARAMETER_MISMATCH with the numbers when the window would overflow or inputs disagree, and
 * NOT_IMPLEMENTED when the call is longer than a step and cannot be cut: nothing has happened then. After any other error the
 * sequence stands where its last whole step ended. */
TARN_API ov_status_e tarn_sequence_infer(tarn_sequence_t *sequence);
/* An output other than a state, with all positions of the last run; a copy of its own. */
TARN_API ov_status_e tarn_sequence_get_tensor(tarn_sequence_t *sequence, const char *name, ov_tensor_t **tensor);
/* Back to the beginning: states of zeros. */
TARN_API ov_status_e tarn_sequence_reset(tarn_sequence_t *sequence);

/* A copy of a state by the name of its input, valid positions only (to begin another sequence with, say); and the reverse. */
TARN_API ov_status_e tarn_sequence_get_state(tarn_sequence_t *sequence, const char *input, ov_tensor_t **tensor);
TARN_API ov_status_e tarn_sequence_set_state(tarn_sequence_t *sequence, const char *input, const ov_tensor_t *tensor);

typedef struct tarn_sequence_info {
	int64_t past;         /* positions so far, states included */
	int64_t window, step; /* of the programs; 0: nothing grows; calls have no positions */
	const char *whole;    /* why calls are not cut into several steps; NULL: they are. Static while the sequence is open */
	const char *exact;    /* why fewer positions than a step cannot be padded; NULL: they can. Likewise */
	int programs;         /* 1 or 2 */
	int compilations;     /* how often a compiler ran for them; does not change while the sequence runs */
	int64_t steps;        /* inferences so far */
	int64_t positions;    /* they had, padding not counted */
	int64_t state_bytes;  /* one copy of all states, in the device's memory */
	int64_t state_copied; /* bytes of states that went through the host: by get, set and reset, never by a run */
	int64_t copied;       /* bytes of other tensors that were copied because the device cannot read them where they were */
	double total_ms;      /* measured: all steps */
	double run_ms;        /* measured: of that, waiting for the device. What is left is this library's own time */
	double device_ms;     /* the time the device itself reports; NAN: it does not */
	bool device_modelled; /* that one comes from a timing model */
	double device_band;   /* then: the fraction of it the truth may lie away; NAN: not known */
} tarn_sequence_info;
TARN_API ov_status_e tarn_sequence_get_info(const tarn_sequence_t *sequence, tarn_sequence_info *info);

#ifdef __cplusplus
}
#endif
#endif

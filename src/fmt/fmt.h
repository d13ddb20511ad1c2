/* SPDX-License-Identifier: Apache-2.0 */
/* Model file formats: one const table each. api/ and tools see only tarn_model_read and tarn_model_write (fmt/registry.c). */
#ifndef TARN_FMT_FMT_H
#define TARN_FMT_FMT_H

#include "base/buffer.h"
#include "ir/graph.h"

typedef struct tarn_model_format {
	const char *name;        /* "ONNX" */
	const char *const *ends; /* file name endings, NULL-terminated: {".onnx", NULL} */
	/* Do the first bytes look like this format? */
	bool (*probe)(const uint8_t *at, size_t n);
	/* `main` holds the file; `side` (may be NULL) a second one (the .bin of an IR). The model keeps references to both.
	 * `path` (may be NULL) is for messages and for files named inside the model (external data). */
	tarn_err (*read)(tarn_buffer *main, tarn_buffer *side, const char *path, tarn_model **m);
	tarn_err (*write)(const tarn_model *m, const char *path);
} tarn_model_format;

/* Reads a model; the format follows from the name's ending, or else from the first bytes. `side_path` names the weights of an
 * IR (NULL: the .bin beside it, when there is one). Errors name the file. */
TARN_MUST tarn_err tarn_model_read(const char *path, const char *side_path, tarn_model **m);
/* The same from memory; the model keeps references to the buffers where it needs them. */
TARN_MUST tarn_err tarn_model_read_buffer(tarn_buffer *main, tarn_buffer *side, tarn_model **m);
/* Writes in the format of the name's ending; nothing is left behind on failure. */
TARN_MUST tarn_err tarn_model_write(const tarn_model *m, const char *path);

#endif

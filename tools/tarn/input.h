/* SPDX-License-Identifier: Apache-2.0 */
/* Data for a model's inputs: from files (-i) or generated. */
#ifndef TARN_TOOL_INPUT_H
#define TARN_TOOL_INPUT_H

#include "session.h"
#include "tarn/data.h"

/* One tensor for each input of the compiled (or not yet compiled) model; NULL where -i says nothing. */
typedef struct input_set {
	size_t n;
	ov_tensor_t **tensor;
	char **name;
	const tarn_data_options_t *prep; /* while loading */
} input_set;

/* How images become inputs, from -layout, -color, -resize, -crop, -mean_values, -scale_values. */
int prep_options(const session *s, tarn_data_options_t *prep);
/* Reads the files of -i, casts them to the inputs' types, and gives a sample with the right number of elements the input's
 * shape. */
int input_load(session *s, input_set *set);
void input_close(input_set *set);
/* Complains, naming it, when an input has no data. */
int input_check_complete(const session *s, const input_set *set);
/* Gives free dimensions of the model the sizes of the data (before compiling), saying so. */
int input_fix_shapes(session *s, const input_set *set);

/* Element type and name of input i, from the compiled model when there is one; text for ov_free. */
int input_describe(const session *s, size_t i, char **name, ov_element_type_e *type, ov_partial_shape_t *shape);
size_t input_count(const session *s);

/* Seeded values: floats in [0, 1), integers and booleans 0 or 1. False for types that cannot be made up (text). */
bool input_fill(ov_tensor_t *t, uint64_t *seed);
/* "[1,3,?]" of a partial shape, into out. */
void shape_text(const ov_partial_shape_t *s, char *out, size_t size);
const char *type_text(ov_element_type_e type);
bool type_parse(const char *text, ov_element_type_e *type);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrences over a padded axis are told where each sequence ends: backward ones then start there, and last states are those
 * of the last valid step. */
#include "dyn/dyn.h"
#include "ops/recurrent.h"

enum { LENGTHS = 4 };

tarn_err tarn_dyn_recurrent(tarn_dyn *d, tarn_node *n, uint32_t axes, bool *done)
{
	const tarn_shape *x = &n->in[0]->shape;
	bool batch_first = tarn_attr_i(n, TARN_REC_LAYOUT);
	int64_t batch = tarn_dyn_max(d, x->dim[!batch_first]);
	(void)axes;
	if (batch < 0 || (n->n_in > LENGTHS && n->in[LENGTHS]))
		return TARN_OK;
	tarn_value *length = tarn_dyn_length(d, x->dim[batch_first]);
	if (tarn_dyn_is_per_sample(d, length))
		length = tarn_dyn_op(d, "Reshape", TARN_I32, length, tarn_dyn_dims(d, &batch, 1), NULL);
	else if (batch != 1)
		length = tarn_dyn_op(d, "Expand", TARN_I32, length, tarn_dyn_dims(d, &batch, 1), NULL);
	TRY(tarn_dyn_done(d));
	if (n->n_in <= LENGTHS)
		TRY(tarn_node_resize_inputs(d->g, n, LENGTHS + 1));
	n->in[LENGTHS] = length;
	d->cost.lengths++;
	*done = true;
	return TARN_OK;
}

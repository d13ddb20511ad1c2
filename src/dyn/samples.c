/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of different lengths are no business of one another: what mixes them is refused. */
#include <string.h>

#include "dyn/dyn.h"

static bool along(const tarn_value *v, int64_t axis, int at)
{
	return (axis < 0 ? axis + v->shape.rank : axis) == at;
}

static int64_t number_of(const tarn_node *n, const char *attr)
{
	return tarn_attr_i(n, tarn_attr_index(n->op, attr));
}

/* Windows, and pictures resized: along the axes from 2 on. */
static bool slides(const tarn_node *n)
{
	static const char *const all[] = {"Conv",    "ConvTranspose", "ConvInteger", "QLinearConv", "GroupConvolution",
					  "MaxPool", "AveragePool",   "LpPool",      "Resize",      "Upsample"};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(n->op->name, all[i]))
			return true;
	return false;
}

/* A border in front of an axis, or a cut there, moves it; a border behind it alone needs a value. */
static bool moves(const tarn_node *n, int at)
{
	tarn_infer c = {.node = (tarn_node *)(uintptr_t)n};
	tarn_dim pads[2 * TARN_MAX_RANK];
	int count;
	return (n->n_in > 3 && n->in[3]) || !tarn_infer_dims(&c, 1, pads, 2 * TARN_MAX_RANK, &count) || at >= count ||
	       pads[at] != 0;
}

/* Elements put at given places are their own sample's when the places have the axis of samples, or come before it. */
static bool puts_elsewhere(const tarn_dyn *d, const tarn_node *n, int at)
{
	const tarn_shape *place = &n->in[1]->shape;
	if (!strcmp(n->op->name, "ScatterElements"))
		return along(n->in[0], number_of(n, "axis"), at) || tarn_dyn_batch(d, n->in[1]) != at;
	return !strcmp(n->op->name, "ScatterND") &&
	       (place->rank < 1 || at < place->dim[place->rank - 1] || place->dim[place->rank - 1] < 0);
}

/* Inputs beside the data that say something for each sample: places, values put there, lengths. Their padding is repaired, and
 * that is no business of other samples. */
static bool tells_of_samples(const tarn_dyn *d, const tarn_node *n, int i, int at)
{
	const char *op = n->op->name;
	if (!strcmp(op, "ScatterElements"))
		return i > 0 && tarn_dyn_batch(d, n->in[0]) == at && !puts_elsewhere(d, n, at);
	if (!strcmp(op, "LSTM") || !strcmp(op, "GRU") || !strcmp(op, "RNN"))
		return i == 4;
	return i == 1 && !strncmp(op, "Gather", 6);
}

/* Does the node read elements of others along this axis of an input, though it needs nothing of the padding behind them? */
static bool reaches(const tarn_dyn *d, const tarn_node *n, int i, int at)
{
	const char *op = n->op->name;
	const tarn_value *v = n->in[i], *second = n->n_in > 1 ? n->in[1] : NULL;
	if (i > 0)
		return false;
	if (!strcmp(op, "CumSum"))
		return !second->konst || along(v, tarn_tensor_i64(second->konst, 0), at);
	if (!strcmp(op, "LSTM") || !strcmp(op, "GRU") || !strcmp(op, "RNN"))
		return at == number_of(n, "layout");
	if (!strcmp(op, "Gather") || !strcmp(op, "GatherElements"))
		return along(v, number_of(n, "axis"), at);
	if (!strcmp(op, "ReverseSequence"))
		return along(v, number_of(n, "time_axis"), at);
	if (!strcmp(op, "GatherND"))
		return at >= number_of(n, "batch_dims");
	if (!strcmp(op, "Pad"))
		return moves(n, at);
	if (!strncmp(op, "Scatter", 7))
		return puts_elsewhere(d, n, at);
	return slides(n) && at >= 2;
}

/* Operators that broadcast or join: does the axis of samples meet another one? */
static bool meets_another(const tarn_dyn *d, const tarn_node *n, int i, int at)
{
	static const char *const all[] = {"Expand",        "Gemm",          "MatMul", "FusedMatMul",
					  "MatMulInteger", "QLinearMatMul", "Concat"};
	bool lines_up = n->op->flags & TARN_OP_ELEMENTWISE;
	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		lines_up |= !strcmp(n->op->name, all[k]);
	if (!strcmp(n->op->name, "Gemm") && i < 2)
		return false;
	return lines_up && n->in[i]->shape.rank - at != n->out[0]->shape.rank - tarn_dyn_batch(d, n->out[0]);
}

tarn_err tarn_dyn_check_samples(tarn_dyn *d, const tarn_node *n)
{
	if (!d->sample || !strcmp(n->op->name, "Shape") || !strcmp(n->op->name, "Size"))
		return TARN_OK;
	for (int i = 0; i < n->n_in; i++) {
		int at = n->in[i] ? tarn_dyn_batch(d, n->in[i]) : -1;
		if (at < 0)
			continue;
		bool kept = true, index = tells_of_samples(d, n, i, at);
		for (int k = 0; k < n->n_out; k++)
			kept &= !n->out[k] || tarn_dyn_batch(d, n->out[k]) >= 0;
		bool needs = !index && tarn_dyn_need(&d->m->syms, n, i, at).need != TARN_PAD_ANY;
		if (!kept || needs || reaches(d, n, i, at) || meets_another(d, n, i, at))
			return tarn_dyn_refuse(d, n, at, "it mixes samples, which have lengths of their own");
	}
	return TARN_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LSTM <-> LSTMSequence. Differences: gates i o f c here, f i c o there; two biases here, their sum there; time first here (or
 * batch first with layout = 1), batch first there; Y is [S,D,B,H] (layout 1: [B,S,D,H]) here, [B,D,S,H] there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fmt/ovir/writer.h"

enum { X, W, R, B, LENS, H0, C0, P };                       /* ONNX */
enum { OV_X, OV_H, OV_C, OV_LENS, OV_W, OV_R, OV_B, OV_N }; /* IR */
static const int to_ov[4] = {2, 0, 3, 1};                   /* gate k there is gate to_ov[k] here: f i c o of i o f c */

/* Rows of gates in another order: out gate k = in gate from[k]; t is [D, 4H, ...]. */
static tarn_err gates_move(const tarn_tensor *t, const int from[4], tarn_tensor *out)
{
	TRY(tarn_tensor_copy(t, out));
	size_t bytes = tarn_tensor_bytes(t), gate = bytes / (size_t)t->dim[0] / 4;
	for (int64_t d = 0; d < t->dim[0]; d++)
		for (int k = 0; k < 4; k++)
			memcpy((char *)out->data + ((size_t)d * 4 + (size_t)k) * gate,
			       (const char *)t->data + ((size_t)d * 4 + (size_t)from[k]) * gate, gate);
	return TARN_OK;
}

/* ---- writing ---- */

static void refuse(ovir_writer *w, const char *why)
{
	ovir_fail(w, tarn_err_set(TARN_UNSUPPORTED, "%s", why));
}

static ovir_ref turned(ovir_writer *w, const tarn_node *n, const char *name, ovir_ref x, tarn_dtype type, const tarn_shape *of,
		       const int64_t *perm)
{
	tarn_shape out = {.rank = of->rank};
	for (int i = 0; i < of->rank; i++)
		out.dim[i] = of->dim[perm[i]];
	const char *label = ovir_sub(w, n, name);
	ovir_ref in[2] = {x, ovir_put_ints(w, ovir_text(w, "%s/order", label), TARN_I64, perm, of->rank)};
	return ovir_put(w, "Transpose", "opset1", label, NULL, in, 2, type, &out);
}

static ovir_ref weights(ovir_writer *w, const tarn_node *n, const char *name, const tarn_tensor *t)
{
	tarn_tensor moved = {0};
	ovir_ref r = {-1, 0};
	tarn_err err = gates_move(t, to_ov, &moved);
	if (err == TARN_OK)
		r = ovir_put_tensor(w, ovir_sub(w, n, name), &moved);
	else
		ovir_fail(w, err);
	tarn_tensor_fini(&moved);
	return r;
}

/* The sum of both biases, or zeros: [D, 4H]. */
static ovir_ref bias(ovir_writer *w, const tarn_node *n, int64_t d, int64_t h)
{
	const tarn_value *b = ovir_value_of(n, B);
	tarn_tensor sum = {0};
	ovir_ref r = {-1, 0};
	tarn_err err = tarn_tensor_new(n->in[X]->type, 2, (int64_t[]){d, 4 * h}, &sum);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return r;
	}
	for (int64_t i = 0; b && i < d * 4 * h; i++) {
		int64_t at = i / (4 * h) * 8 * h + i % (4 * h);
		tarn_tensor_set_f64(&sum, i, tarn_tensor_f64(b->konst, at) + tarn_tensor_f64(b->konst, at + 4 * h));
	}
	r = weights(w, n, "B", &sum);
	tarn_tensor_fini(&sum);
	return r;
}

static ovir_ref state(ovir_writer *w, const tarn_node *n, int input, const char *name, const int64_t dim[3], bool batch_first)
{
	static const int64_t swap[] = {1, 0, 2};
	const tarn_value *v = ovir_value_of(n, input);
	if (v)
		return batch_first ? ovir_ref_of(w, v) : turned(w, n, name, ovir_ref_of(w, v), v->type, &v->shape, swap);
	tarn_tensor zero = {0};
	ovir_ref r = {-1, 0};
	tarn_err err = tarn_tensor_new(n->in[X]->type, 3, dim, &zero);
	if (err == TARN_OK)
		r = ovir_put_tensor(w, ovir_sub(w, n, name), &zero);
	else
		ovir_fail(w, err);
	tarn_tensor_fini(&zero);
	return r;
}

static ovir_ref lengths(ovir_writer *w, const tarn_node *n, int64_t b, int64_t s)
{
	const tarn_value *v = ovir_value_of(n, LENS);
	if (v)
		return ovir_ref_of(w, v);
	int64_t *all = tarn_arena_zalloc(&w->a, (size_t)b + 1, sizeof *all);
	if (!all) {
		ovir_fail(w, tarn_err_nomem((size_t)b * sizeof *all));
		return (ovir_ref){-1, 0};
	}
	for (int64_t i = 0; i < b; i++)
		all[i] = s;
	return ovir_put_ints(w, ovir_sub(w, n, "lengths"), TARN_I64, all, (int)b);
}

static bool usual_activations(const char *text)
{
	static const char *const want[] = {"sigmoid", "tanh", "tanh"};
	int k = 0;
	for (const char *p = text; p && *p; k++) {
		p += strspn(p, ", |;[]'\"");
		size_t n = strcspn(p, ", |;[]'\"");
		if (!n)
			break;
		if (n != strlen(want[k % 3]) || strncasecmp(p, want[k % 3], n))
			return false;
		p += n;
	}
	return k % 3 == 0;
}

static bool writable(const tarn_node *n)
{
	const tarn_attr *act = ovir_get(n, "activations");
	const tarn_shape *x = &n->in[X]->shape;
	return tarn_shape_is_static(x) && n->in[W]->konst && n->in[R]->konst && !ovir_value_of(n, P) &&
	       (!ovir_value_of(n, B) || n->in[B]->konst) && !ovir_get_i(n, "input_forget") &&
	       (!act || usual_activations(act->s)) && n->in[R]->shape.rank == 3;
}

/* A value of the node behind a Transpose that puts its axes as they are here. */
static void out_put(ovir_writer *w, const tarn_node *n, int i, ovir_ref from, const int64_t *perm, int rank)
{
	tarn_node one = *n;
	tarn_value *v = n->out[i];
	one.out = &v;
	one.n_out = 1;
	one.name = i ? ovir_sub(w, n, i == 1 ? "Y_h" : "Y_c") : n->name;
	ovir_ref in[2] = {from, ovir_put_ints(w, ovir_text(w, "%s/order", one.name), TARN_I64, perm, rank)};
	ovir_put_node(w, &one, "Transpose", "opset1", NULL, in, 2);
}

void ovir_lower_lstm(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const int64_t swap[] = {1, 0, 2}, back[] = {2, 1, 0, 3}, front[] = {0, 2, 1, 3}, same[] = {0, 1, 2};
	if (!writable(n)) {
		refuse(w, "an LSTM with free sizes, computed weights, peepholes or other activations has no form in the IR");
		return;
	}
	bool first = ovir_get_i(n, "layout") != 0;
	const tarn_shape *x = &n->in[X]->shape;
	int64_t b = x->dim[!first], s = x->dim[first], h = n->in[R]->shape.dim[2], d = n->in[W]->shape.dim[0];
	int64_t dim[3] = {b, d, h};
	tarn_dtype t = n->in[X]->type;
	ovir_ref in[OV_N];
	in[OV_X] = first ? ovir_ref_of(w, n->in[X]) : turned(w, n, "X", ovir_ref_of(w, n->in[X]), t, x, swap);
	in[OV_H] = state(w, n, H0, "H", dim, first);
	in[OV_C] = state(w, n, C0, "C", dim, first);
	in[OV_LENS] = lengths(w, n, b, s);
	in[OV_W] = weights(w, n, "W", n->in[W]->konst);
	in[OV_R] = weights(w, n, "R", n->in[R]->konst);
	in[OV_B] = bias(w, n, d, h);
	const char *attrs[] = {"hidden_size",
			       ovir_text(w, "%" PRId64, h),
			       "direction",
			       ovir_get_word(w, n, "direction"),
			       "activations",
			       "sigmoid,tanh,tanh",
			       "activations_alpha",
			       "",
			       "activations_beta",
			       "",
			       "clip",
			       ovir_text(w, "%.17g", ovir_get_f(n, "clip")),
			       NULL};
	tarn_shape y = {.rank = 4, .dim = {b, d, s, h}}, hc = {.rank = 3, .dim = {b, d, h}};
	ovir_ref seq = ovir_put(w, row->type, row->version, ovir_sub(w, n, "sequence"), attrs, in, OV_N, t, &y);
	if (w->err != TARN_OK)
		return;
	ovir_wlayer *l = &w->layer.at[seq.layer];
	l->out = tarn_arena_zalloc(&w->a, 3, sizeof *l->out);
	if (!l->out) {
		ovir_fail(w, tarn_err_nomem(64));
		return;
	}
	l->n_out = 3;
	for (int i = 0; i < 3; i++)
		l->out[i] = (ovir_out){.type = t, .shape = i ? hc : y};
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			out_put(w, n, i, (ovir_ref){seq.layer, i}, i ? first ? same : swap : first ? front : back, i ? 3 : 4);
}

/* ---- reading ---- */

static tarn_err weights_read(ovir_build *b, int input, tarn_value **out)
{
	int from[4];
	for (int k = 0; k < 4; k++)
		from[to_ov[k]] = k;
	const tarn_tensor *t = b->in[input]->konst;
	tarn_tensor moved = {0};
	CHECK(t, TARN_UNSUPPORTED, "weights that the model computes are not supported");
	CHECK(t->rank >= 2 && t->dim[0] > 0 && t->dim[1] % 4 == 0 && tarn_dtype_is_float(t->type), TARN_BAD_FILE,
	      "input %d has no rows for four gates", input);
	TRY(gates_move(t, from, &moved));
	tarn_err err = tarn_value_const(b->g, NULL, &moved, out);
	tarn_tensor_fini(&moved);
	return err;
}

/* [D, 4H] -> [D, 8H]: the second bias is 0. */
static tarn_err bias_read(ovir_build *b, tarn_value **out)
{
	tarn_value *four;
	TRY(weights_read(b, OV_B, &four));
	const tarn_tensor *t = four->konst;
	tarn_tensor eight = {0};
	TRY(tarn_tensor_new(t->type, 2, (int64_t[]){t->dim[0], 2 * t->dim[1]}, &eight));
	size_t row = tarn_tensor_bytes(t) / (size_t)t->dim[0];
	for (int64_t d = 0; d < t->dim[0]; d++)
		memcpy((char *)eight.data + 2 * row * (size_t)d, (const char *)t->data + row * (size_t)d, row);
	tarn_err err = tarn_value_const(b->g, NULL, &eight, out);
	tarn_tensor_fini(&eight);
	return err;
}

/* Lengths that are all the whole sequence say nothing. */
static bool whole(const tarn_value *lens, const tarn_shape *x)
{
	if (!lens->konst || x->rank != 3 || x->dim[1] < 0)
		return false;
	for (int64_t i = 0; i < tarn_tensor_count(lens->konst); i++)
		if (tarn_tensor_i64(lens->konst, i) != x->dim[1])
			return false;
	return true;
}

tarn_err ovir_read_lstm(ovir_build *b)
{
	static const int64_t front[] = {0, 2, 1, 3};
	CHECK(b->l->n_in == OV_N && b->l->n_out == 3, TARN_BAD_FILE, "it has %d inputs and %d outputs; 7 and 3 are needed",
	      b->l->n_in, b->l->n_out);
	const char *act = ovir_attr(b->l, "activations"), *direction = ovir_attr(b->l, "direction");
	CHECK(!act || usual_activations(act), TARN_UNSUPPORTED, "activations=\"%.60s\" are not supported", act);
	tarn_value *in[P] = {b->in[OV_X]};
	TRY(weights_read(b, OV_W, &in[W]));
	TRY(weights_read(b, OV_R, &in[R]));
	TRY(bias_read(b, &in[B]));
	in[LENS] = whole(b->in[OV_LENS], &b->in[OV_X]->shape) ? NULL : b->in[OV_LENS];
	in[H0] = b->in[OV_H];
	in[C0] = b->in[OV_C];
	/* Names that mean something else there (activations) are set here. */
	static const char *const none[] = {NULL};
	const ovir_layer *own = b->l;
	ovir_layer l = *own;
	int64_t hidden;
	double clip;
	l.attr = (const char **)(uintptr_t)none;
	b->l = &l;
	tarn_err err = ovir_make(b, "LSTM", in, P, 3);
	b->l = own;
	TRY(err);
	TRY(ovir_attr_i(own, "hidden_size", 0, &hidden));
	TRY(ovir_attr_f(own, "clip", 0, &clip));
	TRY(ovir_set_i(b, "hidden_size", hidden));
	TRY(ovir_set_i(b, "layout", 1));
	if (clip > 0)
		TRY(ovir_set_f(b, "clip", clip));
	int at = tarn_attr_index(b->node->op, "direction");
	int word = !direction ? 0 : at < 0 ? -1 : tarn_words_find(b->node->op->attr[at].words, direction);
	CHECK(word >= 0, TARN_BAD_FILE, "direction=\"%.40s\"", direction);
	TRY(ovir_set_i(b, "direction", word));
	b->out = tarn_arena_zalloc(b->a, 3, sizeof(tarn_value *));
	if (!b->out)
		return tarn_err_nomem(64);
	for (int i = 0; i < 3; i++)
		b->out[i] = b->node->out[i];
	/* Y: [B,S,D,H] -> [B,D,S,H] */
	tarn_node *lstm = b->node;
	b->l = &l;
	err = ovir_make(b, "Transpose", &lstm->out[0], 1, 1);
	b->l = own;
	TRY(err);
	TRY(ovir_set_ints(b, "perm", front, 4));
	b->out[0] = b->node->out[0];
	return TARN_OK;
}

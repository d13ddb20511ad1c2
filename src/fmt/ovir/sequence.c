/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LSTM, GRU, RNN <-> LSTMSequence, GRUSequence, RNNSequence. Differences: an LSTM's gates are i o f c here, f i c o there; two
 * biases here, their sum there (a GRU whose reset gate acts after the product keeps that gate's apart: four rows of gates);
 * time first here (or batch first with layout = 1), batch first there; Y is [S,D,B,H] (layout 1: [B,S,D,H]) here, [B,D,S,H]
 * there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fmt/ovir/writer.h"

enum { X, W, R, B, LENS, H0, C0, P };                       /* ONNX */
enum { OV_X, OV_H, OV_C, OV_LENS, OV_W, OV_R, OV_B, OV_N }; /* IR; only an LSTM has OV_C */

typedef struct kind {
	const char *op, *type;
	int gates;
	int to_ov[4]; /* gate k there is gate to_ov[k] here */
	bool cell;    /* has a second state */
	const char *usual[3];
} kind;
static const kind kinds[] = {
	{"LSTM", "LSTMSequence", 4, {2, 0, 3, 1}, true, {"sigmoid", "tanh", "tanh"}}, /* f i c o of i o f c */
	{"GRU", "GRUSequence", 3, {0, 1, 2}, false, {"sigmoid", "tanh"}},
	{"RNN", "RNNSequence", 1, {0}, false, {"tanh"}},
};

static const kind *kind_of(const char *op, const char *type)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((op && !strcmp(kinds[i].op, op)) || (type && !strcmp(kinds[i].type, type)))
			return &kinds[i];
	return &kinds[0];
}

/* Rows of gates in another order: out gate k = in gate from[k]; t is [D, gates*H, ...]. */
static tarn_err gates_move(const tarn_tensor *t, int gates, const int *from, tarn_tensor *out)
{
	TRY(tarn_tensor_copy(t, out));
	size_t bytes = tarn_tensor_bytes(t), n = (size_t)gates, gate = bytes / (size_t)t->dim[0] / n;
	for (size_t d = 0; d < (size_t)t->dim[0]; d++)
		for (size_t k = 0; k < n; k++)
			memcpy((char *)out->data + (d * n + k) * gate, (const char *)t->data + (d * n + (size_t)from[k]) * gate,
			       gate);
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
	const kind *k = kind_of(n->op->name, NULL);
	tarn_err err = gates_move(t, k->gates, k->to_ov, &moved);
	if (err == TARN_OK)
		r = ovir_put_tensor(w, ovir_sub(w, n, name), &moved);
	else
		ovir_fail(w, err);
	tarn_tensor_fini(&moved);
	return r;
}

/* The sum of both biases, or zeros: [D, gates*H]. */
static ovir_ref bias(ovir_writer *w, const tarn_node *n, int64_t d, int64_t h)
{
	const tarn_value *b = ovir_value_of(n, B);
	int64_t gates = kind_of(n->op->name, NULL)->gates, rows = gates * h;
	bool apart = gates == 3 && ovir_get_i(n, "linear_before_reset");
	tarn_tensor sum = {0};
	ovir_ref r = {-1, 0};
	int64_t wide = rows + (apart ? h : 0);
	tarn_err err = tarn_tensor_new(n->in[X]->type, 2, (int64_t[]){d, wide}, &sum);
	if (err != TARN_OK) {
		ovir_fail(w, err);
		return r;
	}
	for (int64_t i = 0; b && i < d * wide; i++) {
		int64_t k = i % wide, at = i / wide * 2 * rows;
		double first = k < rows ? tarn_tensor_f64(b->konst, at + k) : 0;
		bool both = !apart || k < rows - h;
		double second = both       ? tarn_tensor_f64(b->konst, at + rows + k)
				: k < rows ? 0
					   : tarn_tensor_f64(b->konst, at + rows + k - h);
		tarn_tensor_set_f64(&sum, i, first + second);
	}
	r = apart ? ovir_put_tensor(w, ovir_sub(w, n, "B"), &sum) : weights(w, n, "B", &sum);
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

static bool usual_activations(const kind *cell, const char *text)
{
	int k = 0, n_want = 0;
	while (n_want < 3 && cell->usual[n_want])
		n_want++;
	for (const char *p = text; p && *p; k++) {
		p += strspn(p, ", |;[]'\"");
		size_t n = strcspn(p, ", |;[]'\"");
		const char *want = cell->usual[k % n_want];
		if (!n)
			break;
		if (n != strlen(want) || strncasecmp(p, want, n))
			return false;
		p += n;
	}
	return k % n_want == 0;
}

/* An RNN has any one of these, in all directions. */
static const char *lone_activation(const char *text)
{
	static const char *const words[] = {"tanh", "relu", "sigmoid"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (usual_activations(&(kind){.usual = {words[i]}}, text))
			return words[i];
	return NULL;
}

static const char *activations_of(const tarn_node *n)
{
	const tarn_attr *act = ovir_get(n, "activations");
	const kind *cell = kind_of(n->op->name, NULL);
	if (cell->gates == 1)
		return lone_activation(act ? act->s : "tanh");
	return act && !usual_activations(cell, act->s) ? NULL : cell->cell ? "sigmoid,tanh,tanh" : "sigmoid,tanh";
}

static bool writable(const tarn_node *n)
{
	const tarn_shape *x = &n->in[X]->shape;
	return tarn_shape_is_static(x) && n->in[W]->konst && n->in[R]->konst && !ovir_value_of(n, P) &&
	       (!ovir_value_of(n, B) || n->in[B]->konst) && !ovir_get_i(n, "input_forget") && activations_of(n) &&
	       n->in[R]->shape.rank == 3;
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

/* Y and the last states as outputs of one layer. */
static bool outputs_put(ovir_writer *w, ovir_ref seq, int count, tarn_dtype t, const tarn_shape *y, const tarn_shape *last)
{
	if (w->err != TARN_OK)
		return false;
	ovir_wlayer *l = &w->layer.at[seq.layer];
	l->out = tarn_arena_zalloc(&w->a, (size_t)count, sizeof *l->out);
	if (!l->out) {
		ovir_fail(w, tarn_err_nomem(64));
		return false;
	}
	l->n_out = count;
	for (int i = 0; i < count; i++)
		l->out[i] = (ovir_out){.type = t, .shape = i ? *last : *y};
	return true;
}

void ovir_lower_sequence(ovir_writer *w, const tarn_node *n, const ovir_lower *row)
{
	static const int64_t swap[] = {1, 0, 2}, back[] = {2, 1, 0, 3}, front[] = {0, 2, 1, 3}, same[] = {0, 1, 2};
	const kind *cell = kind_of(n->op->name, NULL);
	if (!writable(n)) {
		refuse(w,
		       "a recurrence with free sizes, computed weights, peepholes or other activations has no form in the IR");
		return;
	}
	bool first = ovir_get_i(n, "layout") != 0;
	const tarn_shape *x = &n->in[X]->shape;
	int64_t b = x->dim[!first], s = x->dim[first], h = n->in[R]->shape.dim[2], d = n->in[W]->shape.dim[0];
	int64_t dim[3] = {b, d, h};
	int k = 0;
	tarn_dtype t = n->in[X]->type;
	ovir_ref in[OV_N];
	in[k++] = first ? ovir_ref_of(w, n->in[X]) : turned(w, n, "X", ovir_ref_of(w, n->in[X]), t, x, swap);
	in[k++] = state(w, n, H0, "H", dim, first);
	if (cell->cell)
		in[k++] = state(w, n, C0, "C", dim, first);
	in[k++] = lengths(w, n, b, s);
	in[k++] = weights(w, n, "W", n->in[W]->konst);
	in[k++] = weights(w, n, "R", n->in[R]->konst);
	in[k++] = bias(w, n, d, h);
	const char *attrs[] = {"hidden_size",
			       ovir_text(w, "%" PRId64, h),
			       "direction",
			       ovir_get_word(w, n, "direction"),
			       "activations",
			       activations_of(n),
			       "activations_alpha",
			       "",
			       "activations_beta",
			       "",
			       "clip",
			       ovir_text(w, "%.17g", ovir_get_f(n, "clip")),
			       cell->gates == 3 ? "linear_before_reset" : NULL,
			       ovir_get_i(n, "linear_before_reset") ? "true" : "false",
			       NULL};
	tarn_shape y = {.rank = 4, .dim = {b, d, s, h}}, hc = {.rank = 3, .dim = {b, d, h}};
	ovir_ref seq = ovir_put(w, row->type, row->version, ovir_sub(w, n, "sequence"), attrs, in, k, t, &y);
	if (!outputs_put(w, seq, cell->cell ? 3 : 2, t, &y, &hc))
		return;
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i])
			out_put(w, n, i, (ovir_ref){seq.layer, i}, i ? first ? same : swap : first ? front : back, i ? 3 : 4);
}

/* ---- reading ---- */

static tarn_err weights_read(ovir_build *b, const kind *cell, int input, tarn_value **out)
{
	int from[4];
	for (int k = 0; k < cell->gates; k++)
		from[cell->to_ov[k]] = k;
	const tarn_tensor *t = b->in[input]->konst;
	tarn_tensor moved = {0};
	CHECK(t, TARN_UNSUPPORTED, "weights that the model computes are not supported");
	CHECK(t->rank >= 2 && t->dim[0] > 0 && t->dim[1] % cell->gates == 0 && tarn_dtype_is_float(t->type), TARN_BAD_FILE,
	      "input %d has no rows for %d gates", input, cell->gates);
	TRY(gates_move(t, cell->gates, from, &moved));
	tarn_err err = tarn_value_const(b->g, NULL, &moved, out);
	tarn_tensor_fini(&moved);
	return err;
}

/* [D, rows] -> [D, 2 rows]: the second bias is 0, but for the gate that was kept apart (its rows are the last there). */
static tarn_err bias_read(ovir_build *b, const kind *cell, int input, bool apart, tarn_value **out)
{
	tarn_value *one;
	const tarn_tensor *t = b->in[input]->konst;
	if (!apart) {
		TRY(weights_read(b, cell, input, &one));
		t = one->konst;
	}
	CHECK(t && t->rank == 2 && t->dim[0] > 0 && t->dim[1] % (apart ? 4 : cell->gates) == 0 && tarn_dtype_is_float(t->type),
	      TARN_UNSUPPORTED, "input %d is no constant bias of these gates", input);
	int64_t h = apart ? t->dim[1] / 4 : 0, rows = t->dim[1] - h;
	tarn_tensor both = {0};
	TRY(tarn_tensor_new(t->type, 2, (int64_t[]){t->dim[0], 2 * rows}, &both));
	for (int64_t d = 0; d < t->dim[0]; d++)
		for (int64_t i = 0; i < rows + h; i++)
			tarn_tensor_set_f64(&both, d * 2 * rows + (i < rows ? i : i + rows - h),
					    tarn_tensor_f64(t, d * (rows + h) + i));
	tarn_err err = tarn_value_const(b->g, NULL, &both, out);
	tarn_tensor_fini(&both);
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

/* What is set by its name here: the words mean something else there. */
static tarn_err attrs_read(ovir_build *b, const ovir_layer *own, const kind *cell, const char *act)
{
	int64_t hidden, late;
	double clip;
	const char *direction = ovir_attr(own, "direction");
	TRY(ovir_attr_i(own, "hidden_size", 0, &hidden));
	TRY(ovir_attr_f(own, "clip", 0, &clip));
	TRY(ovir_attr_i(own, "linear_before_reset", 0, &late));
	TRY(ovir_set_i(b, "hidden_size", hidden));
	TRY(ovir_set_i(b, "layout", 1));
	if (clip > 0)
		TRY(ovir_set_f(b, "clip", clip));
	if (cell->gates == 3)
		TRY(ovir_set_i(b, "linear_before_reset", late != 0));
	int at = tarn_attr_index(b->node->op, "direction");
	int word = !direction ? 0 : at < 0 ? -1 : tarn_words_find(b->node->op->attr[at].words, direction);
	CHECK(word >= 0, TARN_BAD_FILE, "direction=\"%.40s\"", direction);
	TRY(ovir_set_i(b, "direction", word));
	if (cell->gates > 1 || !act || !strcmp(act, "tanh"))
		return TARN_OK;
	char twice[64];
	snprintf(twice, sizeof twice, word == 2 ? "%.20s,%.20s" : "%.20s", act, act);
	return tarn_attr_set_str(b->g, b->node, tarn_attr_index(b->node->op, "activations"), twice);
}

tarn_err ovir_read_sequence(ovir_build *b)
{
	static const int64_t front[] = {0, 2, 1, 3};
	const kind *cell = kind_of(NULL, b->l->type);
	int skip = cell->cell ? 0 : 1, n_out = 3 - skip;
	CHECK(b->l->n_in == OV_N - skip && b->l->n_out == n_out, TARN_BAD_FILE,
	      "it has %d inputs and %d outputs; %d and %d are needed", b->l->n_in, b->l->n_out, OV_N - skip, n_out);
	const char *act = ovir_attr(b->l, "activations"), *lone = act && *act ? lone_activation(act) : "tanh";
	CHECK(!act || (cell->gates == 1 ? lone != NULL : usual_activations(cell, act)), TARN_UNSUPPORTED,
	      "activations=\"%.60s\" are not supported", act);
	int64_t late = 0;
	TRY(ovir_attr_i(b->l, "linear_before_reset", 0, &late));
	tarn_value *in[P] = {b->in[OV_X]};
	TRY(weights_read(b, cell, OV_W - skip, &in[W]));
	TRY(weights_read(b, cell, OV_R - skip, &in[R]));
	TRY(bias_read(b, cell, OV_B - skip, cell->gates == 3 && late, &in[B]));
	in[LENS] = whole(b->in[OV_LENS - skip], &b->in[OV_X]->shape) ? NULL : b->in[OV_LENS - skip];
	in[H0] = b->in[OV_H];
	in[C0] = b->in[OV_C];
	static const char *const none[] = {NULL};
	const ovir_layer *own = b->l;
	ovir_layer l = *own;
	l.attr = (const char **)(uintptr_t)none;
	b->l = &l;
	tarn_err err = ovir_make(b, cell->op, in, cell->cell ? P : C0, n_out);
	b->l = own;
	TRY(err);
	TRY(attrs_read(b, own, cell, lone));
	b->out = tarn_arena_zalloc(b->a, 3, sizeof(tarn_value *));
	if (!b->out)
		return tarn_err_nomem(64);
	for (int i = 0; i < n_out; i++)
		b->out[i] = b->node->out[i];
	/* Y: [B,S,D,H] -> [B,D,S,H] */
	tarn_node *sequence = b->node;
	b->l = &l;
	err = ovir_make(b, "Transpose", &sequence->out[0], 1, 1);
	b->l = own;
	TRY(err);
	TRY(ovir_set_ints(b, "perm", front, 4));
	b->out[0] = b->node->out[0];
	return TARN_OK;
}

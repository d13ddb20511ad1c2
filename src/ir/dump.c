/* SPDX-License-Identifier: Apache-2.0 */
#include "ir/dump.h"

#include "ir/op.h"

static void dump_type(const tarn_graph *g, const tarn_value *v, tarn_str *s)
{
	tarn_str_addf(s, "%s", tarn_dtype_info(v->type)->word);
	tarn_shape_print(s, &g->model->syms, &v->shape);
}

static void dump_attr(const tarn_attr_def *d, const tarn_attr *a, tarn_str *s)
{
	char word[64];
	tarn_str_addf(s, "%s=", d->name);
	switch (d->kind) {
	case TARN_ATTR_INT:
	case TARN_ATTR_BOOL:
		tarn_str_addf(s, "%lld", (long long)a->i);
		break;
	case TARN_ATTR_FLOAT:
		tarn_str_addf(s, "%.9g", a->f);
		break;
	case TARN_ATTR_STRING:
	case TARN_ATTR_STRINGS:
		tarn_str_addf(s, "\"%s\"", a->s);
		break;
	case TARN_ATTR_ENUM:
		tarn_words_get(d->words, (int)a->i, word, sizeof word);
		tarn_str_add(s, word);
		break;
	case TARN_ATTR_TYPE:
		tarn_str_add(s, tarn_dtype_info((tarn_dtype)a->i)->word);
		break;
	case TARN_ATTR_INTS:
		tarn_str_add(s, "[");
		for (int i = 0; i < a->ints.n; i++)
			tarn_str_addf(s, "%s%lld", i ? "," : "", (long long)a->ints.at[i]);
		tarn_str_add(s, "]");
		break;
	case TARN_ATTR_FLOATS:
		tarn_str_add(s, "[");
		for (int i = 0; i < a->floats.n; i++)
			tarn_str_addf(s, "%s%.9g", i ? "," : "", a->floats.at[i]);
		tarn_str_add(s, "]");
		break;
	case TARN_ATTR_TENSOR:
		tarn_str_addf(s, "tensor %s", tarn_dtype_info(a->t->type)->word);
		break;
	}
}

static void dump_graph(const tarn_graph *g, int depth, tarn_str *s);

static void dump_node(const tarn_graph *g, const tarn_node *n, int depth, tarn_str *s)
{
	tarn_str_addf(s, "%*s", 2 * depth, "");
	for (int i = 0; i < n->n_out; i++) {
		tarn_str_add(s, i ? ", " : "");
		if (!n->out[i]) {
			tarn_str_add(s, "-");
			continue;
		}
		tarn_str_addf(s, "%%%s:", n->out[i]->name);
		dump_type(g, n->out[i], s);
	}
	tarn_str_addf(s, " = %s(", n->op->name);
	for (int i = 0; i < n->n_in; i++) {
		const tarn_value *v = n->in[i];
		tarn_str_add(s, i ? ", " : "");
		if (!v) {
			tarn_str_add(s, "-");
			continue;
		}
		tarn_str_addf(s, "%%%s", v->name);
		if (v->konst) {
			tarn_str_add(s, ":const ");
			dump_type(g, v, s);
		}
	}
	tarn_str_add(s, ")");
	bool any = false;
	for (int i = 0; i < n->op->n_attr; i++)
		if (n->attr[i].set) {
			tarn_str_add(s, any ? " " : " {");
			dump_attr(&n->op->attr[i], &n->attr[i], s);
			any = true;
		}
	tarn_str_addf(s, "%s  # node '%s'\n", any ? "}" : "", n->name);
	for (int b = 0; b < n->n_body; b++) {
		tarn_str_addf(s, "%*sbody %d\n", 2 * depth + 2, "", b);
		dump_graph(n->body[b], depth + 2, s);
	}
}

static void dump_graph(const tarn_graph *g, int depth, tarn_str *s)
{
	for (size_t i = 0; i < g->input.len; i++) {
		tarn_str_addf(s, "%*sinput %%%s:", 2 * depth, "", g->input.at[i]->name);
		dump_type(g, g->input.at[i], s);
		tarn_str_add(s, "\n");
	}
	for (size_t i = 0; i < g->node.len; i++)
		dump_node(g, g->node.at[i], depth, s);
	for (size_t i = 0; i < g->output.len; i++) {
		tarn_str_addf(s, "%*soutput %%%s:", 2 * depth, "", g->output.at[i]->name);
		dump_type(g, g->output.at[i], s);
		tarn_str_add(s, "\n");
	}
}

void tarn_graph_dump(const tarn_graph *g, tarn_str *out)
{
	dump_graph(g, 0, out);
}

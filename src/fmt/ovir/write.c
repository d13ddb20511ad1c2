/* SPDX-License-Identifier: Apache-2.0 */
/* Model -> layers -> XML and constants. Operators without a form are decomposed in a copy first. */
#include <string.h>

#include "base/file.h"
#include "fmt/ovir/ovir.h"
#include "fmt/ovir/writer.h"
#include "ops/ops.h"

enum { MAX_DECOMPOSE = 8 };

static bool writable(ovir_writer *w, const tarn_graph *g)
{
	(void)w;
	for (size_t i = 0; i < g->node.len; i++)
		if (!ovir_lower_find(g->node.at[i]) && !g->node.at[i]->spelling)
			return false;
	return true;
}

static tarn_err decompose_once(tarn_graph *g)
{
	tarn_arena scratch = {0};
	size_t n = g->node.len;
	tarn_node **node = n ? tarn_arena_memdup(&scratch, g->node.at, n * sizeof *node) : NULL;
	tarn_err err = node || !n ? TARN_OK : tarn_err_nomem(n * sizeof *node);
	for (size_t i = 0; err == TARN_OK && i < n; i++)
		if (!ovir_lower_find(node[i]) && node[i]->op->decompose)
			err = tarn_err_note(node[i]->op->decompose(g, node[i]), "in node '%s' (%s)", node[i]->name,
					    node[i]->op->name);
	tarn_arena_fini(&scratch);
	if (err == TARN_OK)
		err = tarn_graph_sort(g);
	tarn_graph_sweep(g);
	return err == TARN_OK ? tarn_graph_infer(g) : err;
}

static tarn_err parameter_put(ovir_writer *w, const tarn_value *v)
{
	const char *shape = "";
	ovir_spelling s = {0};
	tarn_shape said = {.rank = -2};
	int64_t lo[TARN_MAX_RANK], hi[TARN_MAX_RANK];
	const tarn_symtab *t = &w->model->syms;
	CHECK(v->type != TARN_DTYPE_NONE, TARN_UNSUPPORTED, "input '%s' has no element type", v->name);
	for (int i = 0; i < v->shape.rank; i++) {
		tarn_dim d = v->shape.dim[i];
		int64_t a = tarn_dim_lo(t, d), b = tarn_dim_hi(t, d);
		if (d >= 0)
			shape = ovir_text(w, "%s%s%lld", shape, i ? "," : "", (long long)d);
		else if (b < TARN_DIM_MAX)
			shape = ovir_text(w, "%s%s%lld..%lld", shape, i ? "," : "", (long long)a, (long long)b);
		else
			shape = ovir_text(w, "%s%s?", shape, i ? "," : "");
	}
	if (v->shape.rank < 0)
		shape = "...";
	const char *name = v->name;
	if (v->spelling && ovir_spelling_unpack(v->spelling, &w->a, &s) == TARN_OK) {
		name = s.name;
		for (int i = 0; i < s.n_attr; i++)
			if (!strcmp(s.attr[2 * i], "shape") && ovir_shape_parse(s.attr[2 * i + 1], &said, lo, hi) == TARN_OK) {
				bool same = said.rank == v->shape.rank;
				for (int k = 0; same && k < said.rank; k++)
					same = said.dim[k] >= 0 ? said.dim[k] == v->shape.dim[k] : v->shape.dim[k] < 0;
				shape = same ? s.attr[2 * i + 1] : shape;
			}
	}
	const char *attrs[] = {"shape", shape, "element_type", tarn_dtype_info(v->type)->word, NULL};
	tarn_node as = {.name = name, .out = (tarn_value *[]){(tarn_value *)(uintptr_t)v}, .n_out = 1};
	ovir_put_node(w, &as, "Parameter", "opset1", attrs, NULL, 0);
	if (w->err == TARN_OK && s.n_out == 1 && !strcmp(s.out[0], v->name))
		w->layer.at[w->layer.len - 1].out[0].names = *s.names[0] ? s.names[0] : NULL;
	return w->err;
}

static tarn_err node_put(ovir_writer *w, const tarn_node *n)
{
	if (ovir_put_spelled(w, n))
		return w->err;
	const ovir_lower *row = ovir_lower_find(n);
	CHECK(row, TARN_UNSUPPORTED, "operator %s has no form in the IR", n->op->name);
	if (row->lower) {
		row->lower(w, n, row);
		return w->err;
	}
	ovir_ref *in = tarn_arena_zalloc(&w->a, (size_t)n->n_in + 1, sizeof *in);
	if (!in)
		return tarn_err_nomem((size_t)n->n_in * sizeof *in);
	for (int i = 0; i < n->n_in; i++) {
		CHECK(n->in[i], TARN_UNSUPPORTED, "an input left out");
		in[i] = ovir_ref_of(w, n->in[i]);
	}
	const char *attrs[3] = {NULL};
	if (row->attrs) {
		const char *eq = strchr(row->attrs, '=');
		attrs[0] = ovir_text(w, "%.*s", (int)(eq - row->attrs), row->attrs);
		attrs[1] = eq + 1;
	}
	ovir_put_node(w, n, row->type, row->version, row->attrs ? attrs : NULL, in, n->n_in);
	return w->err;
}

/* A constant or an input may be an output too: it gets a Result like any other. */
static tarn_err results_put(ovir_writer *w)
{
	ovir_spelling s = {0};
	const tarn_graph *g = w->g;
	bool spelled =
		g->spelling && ovir_spelling_unpack(g->spelling, &w->a, &s) == TARN_OK && (size_t)s.n_out == g->output.len;
	for (size_t i = 0; i < g->output.len; i++) {
		const tarn_value *v = g->output.at[i];
		ovir_ref r = ovir_ref_of(w, v);
		tarn_node as = {.name = spelled ? s.out[i] : ovir_text(w, "%s/sink_port_0", v->name)};
		ovir_put_node(w, &as, "Result", spelled ? s.names[i] : "opset1", NULL, &r, 1);
		TRY(w->err);
		w->layer.at[w->layer.len - 1].bare = spelled && s.bare;
	}
	return TARN_OK;
}

static tarn_err graph_put(ovir_writer *w)
{
	const tarn_graph *g = w->g;
	w->ref = tarn_arena_zalloc(&w->a, g->value.len + 1, sizeof *w->ref);
	if (!w->ref)
		return tarn_err_nomem(g->value.len * sizeof *w->ref);
	for (size_t i = 0; i < g->value.len; i++) {
		w->ref[i].layer = -1;
		TRY(tarn_map_put(&w->value, g->value.at[i]->name, g->value.at[i]));
	}
	for (size_t i = 0; i < g->input.len; i++)
		TRY(parameter_put(w, g->input.at[i]));
	for (size_t i = 0; i < g->node.len; i++)
		TRY(tarn_err_note(node_put(w, g->node.at[i]), "in node '%s' (%s)", g->node.at[i]->name,
				  g->node.at[i]->op->name));
	return results_put(w);
}

static tarn_err write_model(const tarn_model *m, tarn_str *xml, tarn_str *bin)
{
	ovir_writer w = {.model = m, .g = m->main, .bin = bin};
	tarn_err err = tarn_model_new(&w.scratch);
	if (err == TARN_OK)
		err = graph_put(&w);
	if (err == TARN_OK)
		ovir_xml_write(&w, xml);
	if (err == TARN_OK)
		err = tarn_str_done(xml);
	if (err == TARN_OK)
		err = tarn_str_done(bin);
	tarn_map_fini(&w.value);
	tarn_map_fini(&w.blob);
	VEC_FINI(&w.layer);
	tarn_arena_fini(&w.a);
	tarn_model_unref(w.scratch);
	return err;
}

tarn_err tarn_ovir_write_memory(const tarn_model *m, tarn_str *xml, tarn_str *bin)
{
	tarn_model *copy = NULL;
	tarn_err err = TARN_OK;
	if (!writable(NULL, m->main)) {
		TRY(tarn_model_clone(m, &copy));
		for (int i = 0; err == TARN_OK && i < MAX_DECOMPOSE && !writable(NULL, copy->main); i++)
			err = decompose_once(copy->main);
	}
	if (err == TARN_OK)
		err = write_model(copy ? copy : m, xml, bin);
	tarn_model_unref(copy);
	return err;
}

tarn_err tarn_ovir_write(const tarn_model *m, const char *path)
{
	tarn_str xml = {0}, bin = {0}, side = {0};
	CHECK(tarn_str_ends_with(path, ".xml"), TARN_USAGE, "the name of an IR ends in .xml");
	tarn_str_add_n(&side, path, strlen(path) - 4);
	tarn_str_add(&side, ".bin");
	tarn_err err = tarn_str_done(&side);
	if (err == TARN_OK)
		err = tarn_ovir_write_memory(m, &xml, &bin);
	/* Both or none: an XML beside the wrong weights would read as a damaged model. */
	tarn_file_staged one = {0}, two = {0};
	if (err == TARN_OK)
		err = tarn_file_stage(side.at, &(tarn_file_piece){bin.at ? bin.at : "", bin.len}, 1, &one);
	if (err == TARN_OK)
		err = tarn_file_stage(path, &(tarn_file_piece){xml.at, xml.len}, 1, &two);
	if (err == TARN_OK)
		err = tarn_file_commit(&one);
	if (err == TARN_OK)
		err = tarn_file_commit(&two);
	tarn_file_discard(&one);
	tarn_file_discard(&two);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	tarn_str_fini(&side);
	return err;
}

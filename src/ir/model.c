/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "ir/graph.h"

tarn_err tarn_model_new(tarn_model **out)
{
	tarn_model *m = tarn_mem_zalloc(1, sizeof *m);
	if (!m)
		return tarn_err_nomem(sizeof *m);
	tarn_ref_init(&m->refs);
	m->syms.arena = &m->arena;
	m->name = m->producer = "";
	tarn_err err = tarn_graph_new(m, NULL, &m->main);
	if (err != TARN_OK) {
		tarn_model_unref(m);
		return err;
	}
	*out = m;
	return TARN_OK;
}

tarn_model *tarn_model_ref(tarn_model *m)
{
	tarn_ref_take(&m->refs);
	return m;
}

void tarn_model_unref(tarn_model *m)
{
	if (!m || !tarn_ref_drop(&m->refs))
		return;
	for (size_t i = 0; i < m->graph.len; i++) {
		tarn_graph *g = m->graph.at[i];
		VEC_FINI(&g->value);
		VEC_FINI(&g->node);
		VEC_FINI(&g->input);
		VEC_FINI(&g->output);
		tarn_map_fini(&g->names);
		tarn_map_fini(&g->node_names);
	}
	for (size_t i = 0; i < m->buffer.len; i++)
		tarn_buffer_unref(m->buffer.at[i]);
	tarn_model_unref(m->origin.model);
	VEC_FINI(&m->graph);
	VEC_FINI(&m->buffer);
	VEC_FINI(&m->meta);
	tarn_symtab_fini(&m->syms);
	tarn_arena_fini(&m->arena);
	tarn_mem_free(m);
}

tarn_err tarn_model_keep(tarn_model *m, tarn_buffer *b)
{
	/* Thousands of constants may share one file: the latest entries are looked through, a rare double entry does no harm.
	 */
	for (size_t i = m->buffer.len, k = 0; i > 0 && k < 4; i--, k++)
		if (m->buffer.at[i - 1] == b)
			return TARN_OK;
	TRY(VEC_GROW(&m->buffer));
	m->buffer.at[m->buffer.len++] = tarn_buffer_ref(b);
	return TARN_OK;
}

static tarn_meta *meta_at(const tarn_model *m, const char *key)
{
	for (size_t i = 0; i < m->meta.len; i++)
		if (!strcmp(m->meta.at[i].key, key))
			return &m->meta.at[i];
	return NULL;
}

const char *tarn_model_meta_find(const tarn_model *m, const char *key)
{
	const tarn_meta *x = meta_at(m, key);
	return x ? x->value : NULL;
}

tarn_err tarn_model_meta_put(tarn_model *m, const char *key, const char *value)
{
	tarn_meta *x = meta_at(m, key);
	if (x) { /* entries keep their order */
		memmove(x, x + 1, (size_t)(m->meta.at + m->meta.len - (x + 1)) * sizeof *x);
		m->meta.len--;
	}
	if (!value)
		return TARN_OK;
	TRY(VEC_GROW(&m->meta));
	m->meta.at[m->meta.len++] = (tarn_meta){key, value};
	return TARN_OK;
}

tarn_err tarn_graph_new(tarn_model *m, tarn_node *owner, tarn_graph **out)
{
	tarn_graph *g = tarn_arena_alloc(&m->arena, sizeof *g);
	if (!g)
		return tarn_err_nomem(sizeof *g);
	TRY(VEC_GROW(&m->graph));
	m->graph.at[m->graph.len++] = g;
	g->model = m;
	g->owner = owner;
	g->name = "";
	*out = g;
	return TARN_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Fields end with control characters, which XML text cannot hold: no escaping is needed. */
#include <string.h>

#include "fmt/ovir/layer.h"

enum { FIELD = 1 };

static void add(tarn_str *s, const char *text)
{
	static const char end = FIELD;
	tarn_str_add(s, text ? text : "");
	tarn_str_add_n(s, &end, 1);
}

tarn_err ovir_spelling_pack(tarn_arena *a, const ovir_spelling *p, const char **text)
{
	tarn_str s = {0};
	add(&s, p->name);
	add(&s, p->type);
	add(&s, p->version);
	tarn_str_addf(&s, "%d,%d,%d,%d", p->n_attr, p->n_in, p->n_out, p->bare);
	add(&s, "");
	for (int i = 0; i < 2 * p->n_attr; i++)
		add(&s, p->attr[i]);
	for (int i = 0; i < p->n_in; i++)
		add(&s, p->in[i]);
	for (int i = 0; i < p->n_out; i++) {
		add(&s, p->out[i]);
		add(&s, p->names[i]);
	}
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK && !(*text = tarn_arena_strndup(a, s.at, s.len)))
		err = tarn_err_nomem(s.len);
	tarn_str_fini(&s);
	return err;
}

static const char *next(char **at)
{
	char *start = *at, *end = start ? strchr(start, FIELD) : NULL;
	if (!end)
		return NULL;
	*end = 0;
	*at = end + 1;
	return start;
}

static bool list(char **at, const char **out, int n)
{
	for (int i = 0; i < n; i++)
		if (!(out[i] = next(at)))
			return false;
	return true;
}

tarn_err ovir_spelling_unpack(const char *text, tarn_arena *a, ovir_spelling *p)
{
	char *at = tarn_arena_strdup(a, text);
	if (!at)
		return tarn_err_nomem(strlen(text));
	const char *counts = NULL;
	int64_t n[4];
	int k = 0;
	*p = (ovir_spelling){0};
	CHECK((p->name = next(&at)) && (p->type = next(&at)) && (p->version = next(&at)) && (counts = next(&at)) &&
		      ovir_ints(counts, n, 4, &k) && k == 4,
	      TARN_INTERNAL, "the spelling of a layer is damaged");
	p->n_attr = (int)n[0];
	p->n_in = (int)n[1];
	p->n_out = (int)n[2];
	p->bare = n[3];
	p->attr = tarn_arena_zalloc(a, 2 * (size_t)p->n_attr + 1, sizeof *p->attr);
	p->in = tarn_arena_zalloc(a, (size_t)p->n_in + 1, sizeof *p->in);
	p->out = tarn_arena_zalloc(a, 2 * (size_t)p->n_out + 2, sizeof *p->out);
	if (!p->attr || !p->in || !p->out)
		return tarn_err_nomem(64);
	p->names = p->out + p->n_out;
	bool ok = list(&at, p->attr, 2 * p->n_attr) && list(&at, p->in, p->n_in);
	for (int i = 0; i < p->n_out && ok; i++)
		ok = list(&at, &p->out[i], 1) && list(&at, &p->names[i], 1);
	CHECK(ok, TARN_INTERNAL, "the spelling of a layer is damaged");
	return TARN_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/props.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const tarn_prop_def rows[] = {
#define PROP(key, values, def, devices, access, doc) {key, values, def, devices, access, doc},
#include "rt/props.def"
#undef PROP
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static bool row_is_for(const tarn_prop_def *d, const char *device)
{
	char letter = *device ? *device : 'G';
	return strchr(d->devices, letter) || (letter != 'G' && strchr(d->devices, '*'));
}

void tarn_props_fini(tarn_props *p)
{
	for (size_t i = 0; i < p->list.len; i++) {
		tarn_mem_free(p->list.at[i].key);
		tarn_mem_free(p->list.at[i].value);
	}
	VEC_FINI(&p->list);
}

tarn_err tarn_props_set(tarn_props *p, const char *key, const char *value)
{
	char *v = tarn_mem_strdup(value);
	if (!v)
		return tarn_err_nomem(strlen(value));
	for (size_t i = 0; i < p->list.len; i++)
		if (!strcmp(p->list.at[i].key, key)) {
			tarn_mem_free(p->list.at[i].value);
			p->list.at[i].value = v;
			return TARN_OK;
		}
	char *k = tarn_mem_strdup(key);
	tarn_err err = k ? VEC_GROW(&p->list) : tarn_err_nomem(strlen(key));
	if (err) {
		tarn_mem_free(v);
		tarn_mem_free(k);
		return err;
	}
	p->list.at[p->list.len++] = (tarn_prop){k, v};
	return TARN_OK;
}

const char *tarn_props_find(const tarn_props *p, const char *key)
{
	for (size_t i = 0; i < p->list.len; i++)
		if (!strcmp(p->list.at[i].key, key))
			return p->list.at[i].value;
	return NULL;
}

tarn_err tarn_props_overlay(tarn_props *to, const tarn_props *from)
{
	for (size_t i = 0; i < from->list.len; i++)
		TRY(tarn_props_set(to, from->list.at[i].key, from->list.at[i].value));
	return TARN_OK;
}

const tarn_prop_def *tarn_prop_find(const char *device, const char *key)
{
	for (int i = 0; i < N_ROWS; i++)
		if (!strcmp(rows[i].key, key) && row_is_for(&rows[i], device))
			return &rows[i];
	return NULL;
}

const tarn_prop_def *tarn_prop_at(const char *device, size_t i)
{
	for (int k = 0; k < N_ROWS; k++)
		if (row_is_for(&rows[k], device) && i-- == 0)
			return &rows[k];
	return NULL;
}

/* Edit distance, bounded: enough to find a misspelt key. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 48 };
	size_t n = strlen(a), m = strlen(b), row[MAX + 1];
	if (n > MAX || m > MAX)
		return MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
			best = up + 1 < best ? up + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[m];
}

tarn_err tarn_prop_unknown(const char *device, const char *key)
{
	tarn_str s = {0};
	const tarn_prop_def *near = NULL, *d;
	size_t least = strlen(key) / 3 + 1;
	for (size_t i = 0; (d = tarn_prop_at(device, i)); i++) {
		size_t n = distance(key, d->key);
		if (n <= least) {
			least = n;
			near = d;
		}
	}
	if (near)
		tarn_str_addf(&s, "did you mean %s? ", near->key);
	tarn_str_add(&s, "it knows");
	for (size_t i = 0; (d = tarn_prop_at(device, i)); i++)
		tarn_str_addf(&s, " %s", d->key);
	tarn_err err = tarn_str_done(&s);
	if (!err)
		err = tarn_err_set(TARN_USAGE, "%s%s has no property '%s'; %s", *device ? "device " : "the core", device, key,
				   s.at);
	tarn_str_fini(&s);
	return err;
}

/* Does the value match the alternative values[0..n)? */
static bool matches(const char *alt, size_t n, const char *value, bool *is_word)
{
	char word[64];
	*is_word = false;
	if (n >= sizeof word)
		return false;
	memcpy(word, alt, n);
	word[n] = 0;
	char *dots = strstr(word, "..");
	bool b;
	int64_t lo, hi = INT64_MAX, v;
	if (!strcmp(word, "TEXT"))
		return true;
	if (!strcmp(word, "YESNO"))
		return tarn_str_to_bool(value, &b);
	if (dots) {
		*dots = 0;
		return tarn_str_to_i64(word, &lo) && (!dots[2] || tarn_str_to_i64(dots + 2, &hi)) &&
		       tarn_str_to_i64(value, &v) && v >= lo && v <= hi;
	}
	*is_word = !strcasecmp(word, value);
	return *is_word;
}

/* The alternative of the row that takes this value; NULL when none does. */
static const char *find_alternative(const tarn_prop_def *d, const char *value, size_t *n, bool *is_word)
{
	for (const char *at = d->values;; at += *n + 1) {
		*n = strcspn(at, "|");
		if (matches(at, *n, value, is_word))
			return at;
		if (!at[*n])
			return NULL;
	}
}

tarn_err tarn_props_check(const char *device, const char *key, const char *value)
{
	const tarn_prop_def *d = tarn_prop_find(device, key);
	if (!d)
		return tarn_prop_unknown(device, key);
	CHECK(tarn_prop_is_mutable(d), TARN_USAGE, "property %s can only be read; leave it out", key);
	size_t n;
	bool word;
	CHECK(find_alternative(d, value, &n, &word), TARN_USAGE, "property %s cannot be '%s'; %s %s", key, value,
	      strchr(d->values, '|') ? "give one of" : "give", !strcmp(d->values, "YESNO") ? "YES or NO" : d->values);
	return TARN_OK;
}

tarn_err tarn_props_check_all(const char *device, const tarn_props *p)
{
	for (size_t i = 0; i < p->list.len; i++)
		TRY(tarn_props_check(device, p->list.at[i].key, p->list.at[i].value));
	return TARN_OK;
}

void tarn_prop_canon(const tarn_prop_def *d, const char *value, tarn_str *out)
{
	size_t n;
	bool word, b;
	const char *alt = find_alternative(d, value, &n, &word);
	if (alt && n == 5 && !memcmp(alt, "YESNO", 5) && tarn_str_to_bool(value, &b))
		tarn_str_add(out, b ? "YES" : "NO");
	else if (alt && word)
		tarn_str_add_n(out, alt, n);
	else
		tarn_str_add(out, value);
}

const char *tarn_props_value(const tarn_props *p, const char *device, const char *key)
{
	const char *v = tarn_props_find(p, key);
	if (v)
		return v;
	const tarn_prop_def *d = tarn_prop_find(device, key);
	return d ? d->def : NULL;
}

bool tarn_props_bool(const tarn_props *p, const char *device, const char *key)
{
	const char *v = tarn_props_value(p, device, key);
	bool b = false;
	return v && tarn_str_to_bool(v, &b) && b;
}

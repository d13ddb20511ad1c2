/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "fmt/ovir/layer.h"

const char *ovir_attr(const ovir_layer *l, const char *name)
{
	for (const char **a = l->attr; *a; a += 2)
		if (!strcmp(a[0], name))
			return a[1];
	return NULL;
}

bool ovir_attr_is(const ovir_layer *l, const char *name, const char *word)
{
	const char *s = ovir_attr(l, name);
	return !s || !strcasecmp(s, word);
}

static tarn_err malformed(const char *name, const char *text, const char *want)
{
	return tarn_err_set(TARN_BAD_FILE, "attribute %s=\"%.60s\" is no %s", name, text, want);
}

/* Whole numbers may be written with a fraction of zero ("1.0"). */
static bool to_int(const char *s, int64_t *v)
{
	double f;
	bool b;
	if (tarn_str_to_i64(s, v))
		return true;
	if (tarn_str_to_f64(s, &f) && f >= -9e15 && f <= 9e15 && (double)(int64_t)f == f) {
		*v = (int64_t)f;
		return true;
	}
	if (strcasecmp(s, "true") && strcasecmp(s, "false"))
		return false;
	if (tarn_str_to_bool(s, &b))
		*v = b;
	return true;
}

tarn_err ovir_attr_i(const ovir_layer *l, const char *name, int64_t def, int64_t *v)
{
	const char *s = ovir_attr(l, name);
	*v = def;
	return !s || to_int(s, v) ? TARN_OK : malformed(name, s, "integer");
}

tarn_err ovir_attr_f(const ovir_layer *l, const char *name, double def, double *v)
{
	const char *s = ovir_attr(l, name);
	*v = def;
	return !s || tarn_str_to_f64(s, v) ? TARN_OK : malformed(name, s, "number");
}

tarn_err ovir_attr_type(const ovir_layer *l, const char *name, tarn_dtype def, tarn_dtype *v)
{
	const char *s = ovir_attr(l, name);
	*v = s ? tarn_dtype_of_word(s) : def;
	if (s && *v == TARN_DTYPE_NONE)
		return tarn_err_set(TARN_UNSUPPORTED, "%s is '%.40s', an element type that is not supported", name, s);
	return TARN_OK;
}

/* The next item of a comma separated list, without spaces around; false at the end. An empty text has no items. */
static bool item(const char **at, char *out, size_t size, bool *bad)
{
	const char *p = *at;
	if (!p)
		return false;
	while (*p == ' ')
		p++;
	const char *end = strchr(p, ',');
	size_t n = end ? (size_t)(end - p) : strlen(p);
	while (n && p[n - 1] == ' ')
		n--;
	*bad = n == 0 || n >= size;
	if (!n && !end)
		*at = NULL;
	if (*bad)
		return false;
	memcpy(out, p, n);
	out[n] = 0;
	*at = end ? end + 1 : NULL;
	return true;
}

static bool is_blank(const char *s)
{
	return !s[strspn(s, " ")];
}

bool ovir_ints(const char *text, int64_t *at, int max, int *n)
{
	char word[64];
	bool bad = false;
	*n = 0;
	if (is_blank(text))
		return true;
	for (const char *p = text; item(&p, word, sizeof word, &bad);) {
		if (*n == max || !to_int(word, &at[*n]))
			return false;
		++*n;
	}
	return !bad;
}

bool ovir_floats(const char *text, double *at, int max, int *n)
{
	char word[64];
	bool bad = false;
	*n = 0;
	if (is_blank(text))
		return true;
	for (const char *p = text; item(&p, word, sizeof word, &bad);) {
		if (*n == max || !tarn_str_to_f64(word, &at[*n]))
			return false;
		++*n;
	}
	return !bad;
}

/* "7", "?", "-1", "3..7", "3..", "..7" */
static bool dim_parse(char *s, tarn_dim *d, int64_t *lo, int64_t *hi)
{
	*lo = 0;
	*hi = TARN_DIM_MAX;
	char *dots = strstr(s, "..");
	*d = -1;
	if (dots) {
		*dots = 0;
		if ((*s && !tarn_str_to_i64(s, lo)) || (dots[2] && !tarn_str_to_i64(dots + 2, hi)))
			return false;
		if (*lo == *hi)
			*d = *lo;
		return *lo >= 0 && *hi >= *lo && *hi <= TARN_DIM_MAX;
	}
	if (!strcmp(s, "?") || !strcmp(s, "-1"))
		return true;
	return tarn_str_to_i64(s, d) && *d >= 0 && *d <= TARN_DIM_MAX;
}

tarn_err ovir_shape_parse(const char *text, tarn_shape *shape, int64_t *lo, int64_t *hi)
{
	char word[64];
	bool bad = false;
	shape->rank = 0;
	if (is_blank(text))
		return TARN_OK;
	if (!strcmp(text, "...")) {
		shape->rank = -1;
		return TARN_OK;
	}
	for (const char *p = text; item(&p, word, sizeof word, &bad); shape->rank++) {
		int i = shape->rank;
		CHECK(i < TARN_MAX_RANK, TARN_UNSUPPORTED, "the shape \"%.60s\" has a rank above the largest of %d", text,
		      TARN_MAX_RANK);
		if (!dim_parse(word, &shape->dim[i], &lo[i], &hi[i]))
			return malformed("shape", text, "list of sizes");
	}
	return bad ? malformed("shape", text, "list of sizes") : TARN_OK;
}

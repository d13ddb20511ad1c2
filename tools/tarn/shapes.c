/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "session.h"

/* A number, ?, -1, or 1..8. Moves *at past it; false when it is none of these. */
static bool parse_dim(const char **at, int64_t *lo, int64_t *hi)
{
	const char *s = *at;
	char *end;
	if (*s == '?' || !strncmp(s, "-1", 2)) {
		*lo = 1;
		*hi = -1;
		*at = s + (*s == '?' ? 1 : 2);
		return true;
	}
	if (*s < '0' || *s > '9')
		return false;
	*lo = *hi = strtoll(s, &end, 10);
	if (!strncmp(end, "..", 2)) {
		s = end + 2;
		if (*s < '0' || *s > '9')
			return false;
		*hi = strtoll(s, &end, 10);
	}
	*at = end;
	return *lo >= 0 && *hi >= *lo && *hi < ((int64_t)1 << 40);
}

static bool parse_one(const char **at, shape_arg *a)
{
	size_t n = strcspn(*at, "[");
	if (!(*at)[n] || n >= sizeof a->name)
		return false;
	memcpy(a->name, *at, n);
	a->name[n] = 0;
	*at += n + 1;
	a->rank = 0;
	if (**at == ']') {
		(*at)++;
		return true;
	}
	for (;;) {
		if (a->rank == 16 || !parse_dim(at, &a->lo[a->rank], &a->hi[a->rank]))
			return false;
		a->rank++;
		if (*(*at)++ == ']')
			return true;
		if ((*at)[-1] != ',')
			return false;
	}
}

int shapes_parse(const char *command, const char *option, const char *text, shape_arg **list, size_t *n)
{
	*list = NULL;
	*n = 0;
	for (const char *at = text; at && *at;) {
		shape_arg *more = realloc(*list, (*n + 1) * sizeof **list);
		if (!more)
			return fail(1, command, "out of memory");
		*list = more;
		if (!parse_one(&at, &more[(*n)++]))
			return fail(2, command, "%s '%s' is no shape; write it as x[1,3,224,224],y[1,?]", option, text);
		at += *at == ',' || *at == ' ';
	}
	return 0;
}

const shape_arg *shapes_find(const shape_arg *list, size_t n, const char *input)
{
	for (size_t i = 0; i < n; i++)
		if (!*list[i].name || !strcmp(list[i].name, input))
			return &list[i];
	return NULL;
}

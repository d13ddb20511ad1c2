/* SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "say.h"

/* Cuts text into words in place, as a shell does with blanks and quotes; counts them when word is NULL. -1: an open quote. */
static int cut(char *text, char **word)
{
	int n = 0;
	for (char *p = text; *p;) {
		p += strspn(p, " \t\n");
		if (!*p)
			break;
		char *to = p, quote = 0;
		if (word)
			word[n] = p;
		n++;
		for (; *p && (quote || !strchr(" \t\n", *p)); p++) {
			if (*p == quote)
				quote = 0;
			else if (!quote && (*p == '\'' || *p == '"'))
				quote = *p;
			else if (word)
				*to++ = *p;
		}
		if (quote)
			return -1;
		bool more = *p;
		if (word)
			*to = 0;
		p += more;
	}
	return n;
}

int variant_parse(const char *command, const options *base, const char *flags, variant *v)
{
	*v = (variant){.text = strdup(flags)};
	int n = v->text ? cut(v->text, NULL) : 0;
	if (n < 0)
		return fail(2, command, "the flags '%s' have an open quote; close it", flags);
	v->argv = calloc((size_t)(base->argc + n) + 1, sizeof *v->argv);
	if (!v->text || !v->argv)
		return fail(1, command, "out of memory");
	memcpy(v->argv, base->argv, (size_t)base->argc * sizeof *v->argv);
	(void)cut(v->text, v->argv + base->argc);
	return options_parse(command, command_takes(command), base->argc + n, v->argv, &v->o);
}

void variant_fini(variant *v)
{
	options_fini(&v->o);
	free(v->argv);
	free(v->text);
	*v = (variant){.text = NULL};
}

enum { ROUNDS = 10, FEWEST = 5 };
#define NARROW 0.03 /* an interval this wide, of the gain, tells all that is asked for */

/* Which goes first alternates. */
static int ab_round(bench *a, bench *b, double seconds, ab *r)
{
	bench *first = r->n % 2 ? b : a, *second = r->n % 2 ? a : b;
	int code = bench_again(first, seconds / ROUNDS);
	if (!code)
		code = bench_again(second, seconds / ROUNDS);
	if (code || bench_stop)
		return code;
	r->a[r->n] = bench_rate(a);
	r->b[r->n++] = bench_rate(b);
	if (r->n < 2)
		return 0;
	return tarn_compare_rates(r->a, r->b, r->n, &r->c) == OK ? 0 : fail_last(a->s.command);
}

int ab_run(bench *a, bench *b, double seconds, double until_ms, ab *r)
{
	*r = (ab){calloc(ROUNDS, sizeof(double)), calloc(ROUNDS, sizeof(double)), 0, {NAN, 0, INFINITY, false}};
	if (!r->a || !r->b)
		return fail(1, a->s.command, "out of memory");
	while (r->n < ROUNDS && !bench_stop) {
		int code = ab_round(a, b, seconds, r);
		if (code)
			return code;
		bool narrow = isfinite(until_ms) && r->n >= FEWEST && r->c.high - r->c.low <= NARROW * r->c.gain;
		if (r->n >= 2 && (narrow || now_ms() >= until_ms))
			break;
	}
	return 0;
}

void ab_fini(ab *r)
{
	free(r->a);
	free(r->b);
	*r = (ab){.n = 0};
}

void ab_text(const tarn_comparison_info *c, char *text, size_t size)
{
	if (c->shown)
		snprintf(text, size, "%.2f times the rate [%.2f, %.2f]", c->gain, c->low, c->high);
	else
		snprintf(text, size, "no difference shown: %.2f [%.2f, %.2f]", c->gain, c->low, c->high);
}

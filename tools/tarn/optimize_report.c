/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "optimize.h"

opt_row *opt_add(optimize *z, const char *name, const char *unit, const char *source)
{
	size_t last = sizeof z->row / sizeof *z->row - 1;
	opt_row *r = &z->row[z->n < last ? z->n++ : last];
	*r = (opt_row){.name = name, .unit = unit, .source = source, .before = NAN, .after = NAN, .band = NAN};
	return r;
}

void opt_add_null(optimize *z, const char *name, const char *unit, const char *why)
{
	snprintf(opt_add(z, name, unit, NULL)->why, sizeof z->row->why, "%s", why);
}

static void value_text(const opt_row *r, int k, char *out, size_t size)
{
	double x = k ? r->after : r->before;
	if (*r->text[k])
		snprintf(out, size, "%s", r->text[k]);
	else if (!isfinite(x))
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.*f", x == floor(x) ? 0 : fabs(x) < 10 ? 3 : 1, x);
}

void opt_show_text(const optimize *z)
{
	printf("%-24s %16s %16s  %-6s source\n", "", "before", "after", "");
	for (size_t i = 0; i < z->n; i++) {
		const opt_row *r = &z->row[i];
		char text[2][96], band[32] = "";
		value_text(r, 0, text[0], sizeof text[0]);
		value_text(r, 1, text[1], sizeof text[1]);
		if (isfinite(r->band))
			snprintf(band, sizeof band, " +-%.0f %%", 100 * r->band);
		/* one reason for several rows is said once */
		bool again = i && !r->source && !z->row[i - 1].source && !strcmp(r->why, z->row[i - 1].why);
		printf("%-24s %16s %16s  %-6s %s%s%s%s\n", r->name, text[0], text[1], r->unit, r->source ? r->source : "", band,
		       *r->why && r->source ? ": " : "", again ? "as above" : r->why);
	}
	if (*z->verdict)
		printf("%s\n", z->verdict);
}

static void json_value(json *j, const char *key, const opt_row *r, int k)
{
	if (*r->text[k])
		json_text(j, key, r->text[k]);
	else
		json_num(j, key, k ? r->after : r->before);
}

void opt_show_json(const optimize *z, FILE *out)
{
	json j = {.out = out};
	json_begin(&j, NULL, '{');
	json_text(&j, "model", z->o->model);
	json_int(&j, "nodes_int8", (long long)z->report.nodes_int8);
	json_int(&j, "nodes_float", (long long)z->report.nodes_float);
	json_begin(&j, "rows", '[');
	for (size_t i = 0; i < z->n; i++) {
		const opt_row *r = &z->row[i];
		json_begin(&j, NULL, '{');
		json_text(&j, "name", r->name);
		json_value(&j, "before", r, 0);
		json_value(&j, "after", r, 1);
		json_text(&j, "unit", r->unit);
		json_text(&j, "source", r->source);
		json_num(&j, "band", r->band);
		if (*r->why)
			json_text(&j, "note", r->why);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_text(&j, "verdict", *z->verdict ? z->verdict : NULL);
	json_end(&j, '}');
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "openvino/c/ov_layout.h"

#include <ctype.h>

#include "api/handles.h"
#include "base/mem.h"
#include "base/str.h"

typedef struct parser {
	const char *at;
	tarn_str out, seen; /* seen: ",N,C," for the check that names are unique */
	bool dots;
} parser;

static tarn_err add_axis(parser *p, const char *name, size_t n)
{
	tarn_str key = {0};
	tarn_str_add(&key, ",");
	for (size_t i = 0; i < n; i++) {
		char c = (char)toupper((unsigned char)name[i]);
		tarn_str_add_n(&key, &c, 1);
	}
	tarn_str_add(&key, ",");
	tarn_err err = tarn_str_done(&key);
	bool free_axis = !err && !strcmp(key.at, ",?,");
	if (!err && !free_axis && p->seen.at && strstr(p->seen.at, key.at))
		err = tarn_err_set(TARN_USAGE, "the layout names axis '%.*s' twice", (int)n, name);
	if (!err) {
		tarn_str_add(&p->out, p->out.len > 1 ? "," : "");
		tarn_str_add_n(&p->out, key.at + 1, key.len - 2);
		tarn_str_add(&p->seen, key.at);
	}
	tarn_str_fini(&key);
	return err;
}

static bool take_dots(parser *p)
{
	if (strncmp(p->at, "...", 3) != 0)
		return false;
	p->at += 3;
	return true;
}

static tarn_err dots(parser *p)
{
	CHECK(!p->dots, TARN_USAGE, "a layout has ... only once");
	p->dots = true;
	tarn_str_add(&p->out, p->out.len > 1 ? ",..." : "...");
	return TARN_OK;
}

/* Between brackets: words separated by commas. */
static tarn_err parse_words(parser *p)
{
	p->at++;
	while (*p->at && *p->at != ']') {
		while (*p->at == ' ')
			p->at++;
		size_t n = 0;
		if (take_dots(p)) {
			TRY(dots(p));
		} else {
			while (isalnum((unsigned char)p->at[n]) || p->at[n] == '_' || p->at[n] == '?')
				n++;
			CHECK(n, TARN_USAGE, "layout: expected an axis name before '%s'", p->at);
			TRY(add_axis(p, p->at, n));
			p->at += n;
		}
		while (*p->at == ' ')
			p->at++;
		if (*p->at == ',') {
			p->at++;
			CHECK(*p->at != ']', TARN_USAGE, "layout: a name is missing after the last comma");
		} else {
			CHECK(*p->at == ']', TARN_USAGE, "layout: expected ',' or ']' before '%s'", p->at);
		}
	}
	CHECK(*p->at == ']' && !p->at[1], TARN_USAGE, "layout: it must end with ']'");
	return TARN_OK;
}

static tarn_err parse(parser *p)
{
	tarn_str_add(&p->out, "[");
	if (*p->at == '[')
		TRY(parse_words(p));
	else
		while (*p->at) {
			if (take_dots(p)) {
				TRY(dots(p));
				continue;
			}
			CHECK(isalpha((unsigned char)*p->at) || *p->at == '?', TARN_USAGE,
			      "layout: '%c' is no axis; use letters, ? or ...", *p->at);
			TRY(add_axis(p, p->at, 1));
			p->at++;
		}
	CHECK(p->out.len > 1, TARN_USAGE, "the layout is empty");
	tarn_str_add(&p->out, "]");
	return tarn_str_done(&p->out);
}

ov_status_e ov_layout_create(const char *layout_desc, ov_layout_t **layout)
{
	NEED(layout_desc && layout);
	parser p = {.at = layout_desc};
	tarn_err err = parse(&p);
	ov_layout_t *l = err ? NULL : tarn_mem_zalloc(1, sizeof *l);
	if (!err && !l)
		err = tarn_err_nomem(sizeof *l);
	tarn_str_fini(&p.seen);
	if (err) {
		tarn_str_fini(&p.out);
		return tarn_status(err);
	}
	l->text = p.out.at;
	*layout = l;
	return OK;
}

void ov_layout_free(ov_layout_t *layout)
{
	if (!layout)
		return;
	tarn_mem_free(layout->text);
	tarn_mem_free(layout);
}

const char *ov_layout_to_string(const ov_layout_t *layout)
{
	char *copy = NULL;
	if (!layout || tarn_status(tarn_text_out(layout->text, &copy)) != OK)
		return NULL;
	return copy;
}

/* Long words for the usual letters. */
static const struct {
	const char *word, *letter;
} letters[] = {{"BATCH", "N"}, {"CHANNELS", "C"}, {"CHANNEL", "C"}, {"DEPTH", "D"}, {"HEIGHT", "H"}, {"WIDTH", "W"}};

static tarn_err name_axis(tarn_layout *l, int i, const char *word, size_t n)
{
	CHECK(n < sizeof *l->axis, TARN_USAGE, "layout: the axis name '%.*s' is too long; use at most %zu letters", (int)n,
	      word, sizeof *l->axis - 1);
	snprintf(l->axis[i], sizeof *l->axis, "%.*s", (int)n, word);
	for (size_t k = 0; k < sizeof letters / sizeof *letters; k++)
		if (!strcmp(l->axis[i], letters[k].word))
			snprintf(l->axis[i], sizeof *l->axis, "%s", letters[k].letter);
	return TARN_OK;
}

tarn_err tarn_layout_expand(const char *text, int rank, tarn_layout *out)
{
	int words = 1;
	bool open = strstr(text, "...") != NULL;
	for (const char *s = text; *s; s++)
		words += *s == ',';
	if (rank < 0 && !open)
		rank = words;
	CHECK(rank >= 0 && rank <= TARN_MAX_RANK && (open ? words - 1 <= rank : words == rank), TARN_SHAPE,
	      "layout %s does not fit a tensor of %d dimensions; give another layout", text, rank);
	*out = (tarn_layout){.rank = rank};
	const char *s = text + 1;
	for (int i = 0; i < rank;) {
		size_t n = strcspn(s, ",]");
		if (!strncmp(s, "...", 3)) {
			for (int k = 0; k < rank - (words - 1); k++)
				snprintf(out->axis[i++], sizeof *out->axis, "?");
		} else {
			TRY(name_axis(out, i++, s, n));
		}
		s += n + (s[n] == ',');
	}
	return TARN_OK;
}

int tarn_layout_find(const tarn_layout *l, const char *axis)
{
	for (int i = 0; i < l->rank; i++)
		if (!strcmp(l->axis[i], axis))
			return i;
	return -1;
}

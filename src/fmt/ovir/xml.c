/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/ovir/xml.h"

#include <expat.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

typedef struct parse {
	XML_Parser p;
	tarn_arena *a;
	ovir_elem *root, *stack[OVIR_MAX_DEPTH];
	int depth, skip; /* skip: depth inside an element that is left out */
	size_t count;
	char text[OVIR_MAX_TEXT_BYTES];
	size_t n_text;
	bool long_text;
	tarn_err err;
} parse;

/* Expat 2.7 renamed the function to one of 64 bits and marks the old one deprecated; Debian 12 has only the old one. */
static unsigned long line_of(XML_Parser p)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	return (unsigned long)XML_GetCurrentLineNumber(p);
#pragma GCC diagnostic pop
}

static void fail(parse *s, tarn_err err)
{
	if (s->err == TARN_OK)
		s->err = tarn_err_note(err, "line %lu of the XML", line_of(s->p));
	XML_StopParser(s->p, XML_FALSE);
}

static tarn_err element(parse *s, const char *tag, const char **attr, ovir_elem **out)
{
	size_t n = 0;
	while (attr[n])
		n++;
	CHECK(n <= 2 * (size_t)OVIR_MAX_ATTRS, TARN_BAD_FILE, "<%.60s> has %zu attributes, above the limit of %d", tag, n / 2,
	      OVIR_MAX_ATTRS);
	ovir_elem *e = tarn_arena_zalloc(s->a, 1, sizeof *e);
	const char **copy = tarn_arena_zalloc(s->a, n + 1, sizeof *copy);
	if (!e || !copy || !(e->tag = tarn_arena_strdup(s->a, tag)))
		return tarn_err_nomem(sizeof *e);
	for (size_t i = 0; i < n; i++) {
		CHECK(strlen(attr[i]) <= OVIR_MAX_ATTR_BYTES, TARN_BAD_FILE, "an attribute of <%.60s> is longer than %d bytes",
		      tag, OVIR_MAX_ATTR_BYTES);
		if (!(copy[i] = tarn_arena_strdup(s->a, attr[i])))
			return tarn_err_nomem(strlen(attr[i]));
	}
	e->attr = copy;
	e->text = "";
	e->line = (long)line_of(s->p);
	*out = e;
	return TARN_OK;
}

static void XMLCALL on_start(void *ctx, const char *tag, const char **attr)
{
	parse *s = ctx;
	ovir_elem *e = NULL;
	s->n_text = 0;
	s->long_text = false;
	if (s->err != TARN_OK)
		return;
	if (s->skip || (!strcmp(tag, "rt_info") && s->depth != 1)) {
		if (++s->skip > OVIR_MAX_DEPTH)
			fail(s, tarn_err_set(TARN_BAD_FILE, "elements are nested more than %d deep", OVIR_MAX_DEPTH));
		return;
	}
	if (s->depth == OVIR_MAX_DEPTH || ++s->count > OVIR_MAX_ELEMENTS) {
		fail(s, tarn_err_set(TARN_BAD_FILE, "elements are nested more than %d deep, or there are more than %d",
				     OVIR_MAX_DEPTH, OVIR_MAX_ELEMENTS));
		return;
	}
	tarn_err err = element(s, tag, attr, &e);
	if (err != TARN_OK) {
		fail(s, err);
		return;
	}
	if (s->depth) {
		ovir_elem *up = s->stack[s->depth - 1];
		if (up->last)
			up->last->next = e;
		else
			up->child = e;
		up->last = e;
	} else {
		s->root = e;
	}
	s->stack[s->depth++] = e;
}

static void XMLCALL on_end(void *ctx, const char *tag)
{
	parse *s = ctx;
	if (s->err != TARN_OK)
		return;
	if (s->skip) {
		s->skip--;
		return;
	}
	ovir_elem *e = s->stack[--s->depth];
	if (!e->child && s->n_text && !strcmp(tag, "dim")) {
		if (s->long_text)
			fail(s, tarn_err_set(TARN_BAD_FILE, "the text of <%.60s> is longer than %d bytes", e->tag,
					     OVIR_MAX_TEXT_BYTES));
		else if (!(e->text = tarn_arena_strndup(s->a, s->text, s->n_text)))
			fail(s, tarn_err_nomem(s->n_text));
	}
	s->n_text = 0;
	s->long_text = false;
}

static void XMLCALL on_text(void *ctx, const char *at, int n)
{
	parse *s = ctx;
	for (int i = 0; i < n && !s->skip; i++) {
		if (strchr(" \t\r\n", at[i]) || !at[i])
			continue;
		if (s->n_text == sizeof s->text)
			s->long_text = true;
		else
			s->text[s->n_text++] = at[i];
	}
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *sys, const char *pub, int subset)
{
	(void)name, (void)sys, (void)pub, (void)subset;
	fail(ctx, tarn_err_set(TARN_BAD_FILE, "the XML has a document type, which no IR has; it is refused"));
}

static tarn_err feed(parse *s, const char *bytes, size_t n)
{
	enum { CHUNK = 1 << 20 };
	size_t at = 0;
	do {
		size_t len = n - at < CHUNK ? n - at : CHUNK;
		enum XML_Status ok = XML_Parse(s->p, bytes + at, (int)len, at + len == n);
		if (s->err != TARN_OK)
			return s->err;
		CHECK(ok == XML_STATUS_OK || XML_GetErrorCode(s->p) != XML_ERROR_NO_MEMORY, TARN_NOMEM,
		      "out of memory while reading XML");
		CHECK(ok == XML_STATUS_OK, TARN_BAD_FILE, "no readable XML (%s, line %lu); get the file again",
		      XML_ErrorString(XML_GetErrorCode(s->p)), line_of(s->p));
		at += len;
	} while (at < n);
	return TARN_OK;
}

/* Expat's memory through ours, so that a test can make it fail. */
static void *m_alloc(size_t n)
{
	return tarn_mem_alloc(n);
}

static void *m_realloc(void *old, size_t n)
{
	return tarn_mem_realloc(old, n);
}

static void m_free(void *p)
{
	tarn_mem_free(p);
}

tarn_err ovir_xml_parse(const char *bytes, size_t n, tarn_arena *a, ovir_elem **root)
{
	static const XML_Memory_Handling_Suite mem = {m_alloc, m_realloc, m_free};
	parse *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s)
		return tarn_err_nomem(sizeof *s);
	tarn_err err = TARN_OK;
	if (n && !bytes[n - 1])
		n--;
	s->a = a;
	s->p = XML_ParserCreate_MM("UTF-8", &mem, NULL);
	if (!s->p) {
		err = tarn_err_nomem(1024);
	} else {
		XML_SetUserData(s->p, s);
		XML_SetElementHandler(s->p, on_start, on_end);
		XML_SetCharacterDataHandler(s->p, on_text);
		XML_SetStartDoctypeDeclHandler(s->p, on_doctype);
		err = feed(s, bytes, n);
		XML_ParserFree(s->p);
	}
	if (err == TARN_OK && !s->root)
		err = tarn_err_set(TARN_BAD_FILE, "the XML has no element");
	if (err == TARN_OK)
		*root = s->root;
	tarn_mem_free(s);
	return err;
}

const char *ovir_xml_attr(const ovir_elem *e, const char *name)
{
	for (const char **a = e->attr; *a; a += 2)
		if (!strcmp(a[0], name))
			return a[1];
	return NULL;
}

ovir_elem *ovir_xml_next(const ovir_elem *parent, const ovir_elem *prev, const char *tag)
{
	ovir_elem *e = prev ? prev->next : parent ? parent->child : NULL;
	while (e && strcmp(e->tag, tag))
		e = e->next;
	return e;
}

ovir_elem *ovir_xml_child(const ovir_elem *e, const char *tag)
{
	return ovir_xml_next(e, NULL, tag);
}

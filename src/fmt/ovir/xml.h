/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML as a tree of elements, in the caller's arena. Only what an IR needs: elements, attributes, the text of <dim>. Document
 * types (and with them entities) are refused; depth, counts and lengths are limited. Elements named rt_info are left out, but
 * for the one of the whole net.
 */
#ifndef TARN_FMT_OVIR_XML_H
#define TARN_FMT_OVIR_XML_H

#include "base/arena.h"

enum {
	OVIR_MAX_DEPTH = 64, /* nesting; a body adds four levels */
	OVIR_MAX_ELEMENTS = 1 << 24,
	OVIR_MAX_ATTRS = 256, /* of one element */
	OVIR_MAX_ATTR_BYTES = 1 << 20,
	OVIR_MAX_TEXT_BYTES = 256, /* of a dimension */
};

typedef struct ovir_elem ovir_elem;
struct ovir_elem {
	const char *tag;
	const char **attr; /* name, value, ..., NULL */
	const char *text;  /* of <dim>, without white space; never NULL */
	ovir_elem *child, *last, *next;
	long line;
};

/* `bytes` may end in one NUL. */
TARN_MUST tarn_err ovir_xml_parse(const char *bytes, size_t n, tarn_arena *a, ovir_elem **root);
/* NULL when absent. */
const char *ovir_xml_attr(const ovir_elem *e, const char *name);
ovir_elem *ovir_xml_child(const ovir_elem *e, const char *tag); /* the first of that tag; NULL when absent */
/* Walks the children of one tag: first with prev = NULL. */
ovir_elem *ovir_xml_next(const ovir_elem *parent, const ovir_elem *prev, const char *tag);

#endif

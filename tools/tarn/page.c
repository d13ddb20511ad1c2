/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page_parts.h" /* made from pages/ when this is built */

int page_begin(const char *command, page *p)
{
	*p = (page){.text = NULL};
	p->j.out = open_memstream(&p->text, &p->size);
	return p->j.out ? 0 : fail(1, command, "out of memory");
}

void page_drop(page *p)
{
	if (p->j.out)
		fclose(p->j.out);
	free(p->text);
	*p = (page){.text = NULL};
}

static const char *part(const char *name)
{
	for (size_t i = 0; i < sizeof page_parts / sizeof *page_parts; i++)
		if (!strcmp(page_parts[i].name, name))
			return page_parts[i].text;
	return "";
}

static void escaped(FILE *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '<':
			fputs("&lt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		default:
			fputc(*s, out);
		}
}

/* Inside a script element, "</" would end it and "<!--" change what does; JSON has '<' in texts only. */
static void embedded(FILE *out, const char *text)
{
	for (const char *s = text; *s; s++)
		if (*s == '<')
			fputs("\\u003c", out);
		else
			fputc(*s, out);
}

static void print_page(FILE *out, const char *kind, const char *title, const char *text)
{
	char script[64];
	snprintf(script, sizeof script, "%s.js", kind);
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>",
	      out);
	escaped(out, title);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main id=\"page\"></main>\n", part("style.css"));
	fputs("<script type=\"application/json\" id=\"report\">\n", out);
	embedded(out, text);
	fprintf(out, "</script>\n<script>\n%s%s%s</script>\n</body>\n</html>\n", part("draw.js"), part("pipeline.js"),
		part(script));
}

static int write_file(const char *command, const char *path, const char *kind, const char *title, const char *text)
{
	char beside[4200];
	struct stat st;
	/* What is no file, such as /dev/stdout, takes the page and must not be replaced. */
	bool direct = !stat(path, &st) && !S_ISREG(st.st_mode);
	if ((size_t)snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid()) >= sizeof beside)
		return fail(2, command, "the path of the page is too long");
	FILE *out = fopen(direct ? path : beside, "w");
	if (!out)
		return fail(1, command, "%s cannot be written: %s", path, strerror(errno));
	print_page(out, kind, title, text);
	int error = ferror(out);
	if (fclose(out) || error || (!direct && rename(beside, path))) {
		if (!direct)
			unlink(beside);
		return fail(1, command, "%s could not be written; is the disk full?", path);
	}
	return 0;
}

int page_write(const char *command, page *p, const char *kind, const char *title, const char *path)
{
	int error = fclose(p->j.out);
	p->j.out = NULL;
	int code = error || !p->text ? fail(1, command, "out of memory for the page")
				     : write_file(command, path, kind, title, p->text);
	page_drop(p);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IRs made by OpenVINO, read and written back: equal as canonical XML (layers by name with types, versions, attributes, ports
 * and names; edges by the names of their ends; rt_info apart) and the bytes of every constant. The comparison reads both files
 * with expat, not with the library's reader. The files lie beside the project; skipped where they are absent.
 */
#include "unit/test.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fmt/fmt.h"
#include "fmt/ovir/ovir.h"

enum { MAX_LINES = 8192, MAX_ATTRS = 64 };

typedef struct canon {
	char *line[MAX_LINES]; /* one for each layer and edge */
	int n;
	char *id[MAX_LINES], *name[MAX_LINES];
	int n_layers;
	tarn_str now, text;
	int skip, n_in;
	bool is_const;
	size_t offset, size;
	const uint8_t *bin;
	size_t n_bin;
} canon;

static const char *shared(void)
{
	const char *s = getenv("TARN_SHARED");
	return s && *s ? s : TARN_SHARED;
}

static const char *get(const char **a, const char *name)
{
	for (; *a; a += 2)
		if (!strcmp(a[0], name))
			return a[1];
	return "";
}

static int cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void attrs_add(canon *c, const char **a)
{
	char *list[MAX_ATTRS];
	int n = 0;
	for (; *a; a += 2) {
		if (c->is_const && !strcmp(a[0], "offset")) {
			c->offset = strtoull(a[1], NULL, 10);
			continue;
		}
		if (c->is_const && !strcmp(a[0], "size"))
			c->size = strtoull(a[1], NULL, 10);
		tarn_str s = {0};
		tarn_str_addf(&s, " %s=\"%s\"", a[0], a[1]);
		assert_true(n < MAX_ATTRS);
		list[n++] = s.at;
	}
	qsort(list, (size_t)n, sizeof *list, cmp);
	for (int i = 0; i < n; i++) {
		tarn_str_add(&c->now, list[i]);
		tarn_mem_free(list[i]);
	}
}

static const char *layer_name(canon *c, const char *id)
{
	for (int i = 0; i < c->n_layers; i++)
		if (!strcmp(c->id[i], id))
			return c->name[i];
	return "?";
}

static void XMLCALL start(void *ctx, const char *tag, const char **a)
{
	canon *c = ctx;
	c->text.len = 0;
	if (c->skip || !strcmp(tag, "rt_info") || !strcmp(tag, "meta_data") || !strcmp(tag, "quantization_parameters")) {
		c->skip++;
		return;
	}
	assert_true(c->n < MAX_LINES);
	if (!strcmp(tag, "net")) {
		assert_string_equal(get(a, "version"), "11");
		tarn_str_addf(&c->now, "net %s", get(a, "name"));
		c->line[c->n++] = tarn_mem_strdup(c->now.at);
		c->now.len = 0;
	} else if (!strcmp(tag, "layer")) {
		c->id[c->n_layers] = tarn_mem_strdup(get(a, "id"));
		c->name[c->n_layers++] = tarn_mem_strdup(get(a, "name"));
		c->is_const = !strcmp(get(a, "type"), "Const");
		c->now.len = 0;
		tarn_str_addf(&c->now, "layer %s %s %s", get(a, "name"), get(a, "type"), get(a, "version"));
	} else if (!strcmp(tag, "data") || !strcmp(tag, "port")) {
		tarn_str_addf(&c->now, " <%s", tag);
		attrs_add(c, a);
	} else if (!strcmp(tag, "input") || !strcmp(tag, "output")) {
		tarn_str_addf(&c->now, " %s", tag);
	} else if (!strcmp(tag, "edge")) {
		c->now.len = 0;
		tarn_str_addf(&c->now, "edge %s:%s -> %s:%s", layer_name(c, get(a, "from-layer")), get(a, "from-port"),
			      layer_name(c, get(a, "to-layer")), get(a, "to-port"));
		c->line[c->n++] = tarn_mem_strdup(c->now.at);
		c->now.len = 0;
	}
}

static void XMLCALL end(void *ctx, const char *tag)
{
	canon *c = ctx;
	if (c->skip) {
		c->skip--;
		return;
	}
	if (!strcmp(tag, "dim"))
		tarn_str_addf(&c->now, " %.*s", (int)c->text.len, c->text.at);
	if (strcmp(tag, "layer"))
		return;
	if (c->is_const) {
		assert_true(c->offset <= c->n_bin && c->size <= c->n_bin - c->offset);
		tarn_str_add(&c->now, " bytes ");
		for (size_t i = 0; i < c->size; i++)
			tarn_str_addf(&c->now, "%02x", c->bin[c->offset + i]);
	}
	c->line[c->n++] = tarn_mem_strdup(c->now.at);
	c->now.len = 0;
}

static void XMLCALL text(void *ctx, const char *at, int n)
{
	tarn_str_add_n(&((canon *)ctx)->text, at, (size_t)n);
}

static void canon_read(canon *c, const void *xml, size_t n, const void *bin, size_t n_bin)
{
	memset(c, 0, sizeof *c);
	c->bin = bin;
	c->n_bin = n_bin;
	XML_Parser p = XML_ParserCreate(NULL);
	XML_SetUserData(p, c);
	XML_SetElementHandler(p, start, end);
	XML_SetCharacterDataHandler(p, text);
	assert_int_equal(XML_Parse(p, xml, (int)n, 1), XML_STATUS_OK);
	XML_ParserFree(p);
	qsort(c->line, (size_t)c->n, sizeof *c->line, cmp);
}

static void canon_fini(canon *c)
{
	for (int i = 0; i < c->n; i++)
		tarn_mem_free(c->line[i]);
	for (int i = 0; i < c->n_layers; i++) {
		tarn_mem_free(c->id[i]);
		tarn_mem_free(c->name[i]);
	}
	tarn_str_fini(&c->now);
	tarn_str_fini(&c->text);
}

static int same_file(const char *xml_path, const char *bin_path)
{
	static canon want, got;
	tarn_file_map fx, fb;
	tarn_buffer *x, *b;
	tarn_model *m;
	tarn_str xml = {0}, bin = {0};
	int bad = 0;
	assert_ok(tarn_file_map_open(xml_path, &fx));
	assert_ok(tarn_file_map_open(bin_path, &fb));
	assert_ok(tarn_buffer_map(xml_path, &x));
	assert_ok(tarn_buffer_map(bin_path, &b));
	assert_ok(tarn_ovir_read_memory(x, b, &m));
	assert_ok(tarn_ovir_write_memory(m, &xml, &bin));
	canon_read(&want, fx.at, fx.size, fb.at, fb.size);
	canon_read(&got, xml.at, xml.len, bin.at, bin.len);
	if (want.n != got.n)
		print_error("%s: %d layers and edges, %d written\n", xml_path, want.n, got.n);
	for (int i = 0; i < want.n && i < got.n && bad < 5; i++)
		if (strcmp(want.line[i], got.line[i])) {
			print_error("%.400s\n  instead of\n%.400s\n", got.line[i], want.line[i]);
			bad++;
		}
	bad += want.n != got.n;
	canon_fini(&want);
	canon_fini(&got);
	tarn_str_fini(&xml);
	tarn_str_fini(&bin);
	tarn_model_unref(m);
	tarn_buffer_unref(x);
	tarn_buffer_unref(b);
	tarn_file_map_close(&fx);
	tarn_file_map_close(&fb);
	return bad;
}

static void written_back(void **state)
{
	(void)state;
	static const char *const name[] = {"landmarks-regression-retail-0009_FP32_v11",
					   "landmarks-regression-retail-0009_FP16_v11",
					   "landmarks-regression-retail-0009_FP16-INT8_v11",
					   "face-detection-adas-0001_FP16_v11", "face-detection-adas-0001_FP16-INT8_v11"};
	int bad = 0, seen = 0;
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		char xml[2048], bin[2048];
		snprintf(xml, sizeof xml, "%s/models/ir/%s.xml", shared(), name[i]);
		snprintf(bin, sizeof bin, "%s/models/ir/%s.bin", shared(), name[i]);
		if (!tarn_file_exists(xml) || !tarn_file_exists(bin))
			continue;
		seen++;
		bad += same_file(xml, bin);
	}
	if (!seen) {
		print_message("skipped: no folder '%s/models/ir'\n", shared());
		skip();
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(written_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

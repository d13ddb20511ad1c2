/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonq FILE PATH [PATH...]: prints the value at each path of a JSON file (- is standard input), one a line.
 * A path is keys joined by dots, with [2] for the third element, [name=top1] for the element whose key has that text, and a
 * last step # for the number of elements: latency_ms.median  layers[0].name  rows[name=top1].after  layers.#
 * "." is the whole document. Strings print bare, objects and arrays as compact JSON.
 * Exit code 0; 1 when a path leads nowhere; 2 on wrong usage; 3 when the file is not JSON.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_value(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		puts(json_string_value(v));
		return;
	case JSON_INTEGER:
		printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
		return;
	case JSON_REAL:
		printf("%.17g\n", json_real_value(v));
		return;
	default:
		json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
}

/* The element that the text between [ and ] names, or NULL. */
static const json_t *element(const json_t *v, const char *text, size_t n)
{
	char key[256];
	if (n >= sizeof key || !json_is_array(v))
		return NULL;
	memcpy(key, text, n);
	key[n] = '\0';
	char *equals = strchr(key, '=');
	if (!equals) {
		char *end;
		unsigned long i = strtoul(key, &end, 10);
		return *key && !*end ? json_array_get(v, i) : NULL;
	}
	*equals = '\0';
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *item = json_array_get(v, i);
		const char *have = json_string_value(json_object_get(item, key));
		if (have && !strcmp(have, equals + 1))
			return item;
	}
	return NULL;
}

static int query(const json_t *v, const char *path)
{
	const char *p = path;
	while (v && *p) {
		if (*p == '.') {
			p++;
			continue;
		}
		if (!strcmp(p, "#")) {
			size_t n = json_is_object(v) ? json_object_size(v) : json_array_size(v);
			printf("%zu\n", n);
			return 0;
		}
		if (*p == '[') {
			size_t n = strcspn(p + 1, "]");
			v = p[1 + n] ? element(v, p + 1, n) : NULL;
			p += 1 + n + (p[1 + n] == ']');
			continue;
		}
		size_t n = strcspn(p, ".[");
		char key[256];
		if (n >= sizeof key)
			return 1;
		memcpy(key, p, n);
		key[n] = '\0';
		v = json_object_get(v, key);
		p += n;
	}
	if (!v) {
		fprintf(stderr, "jsonq: nothing at %s\n", path);
		return 1;
	}
	print_value(v);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: jsonq FILE PATH [PATH...]\n");
		return 2;
	}
	json_error_t why;
	json_t *doc = strcmp(argv[1], "-") ? json_load_file(argv[1], JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why)
					   : json_loadf(stdin, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	if (!doc) {
		fprintf(stderr, "jsonq: %s:%d: %s\n", argv[1], why.line, why.text);
		return 3;
	}
	int bad = 0;
	for (int i = 2; i < argc; i++)
		bad |= query(doc, argv[i]);
	json_decref(doc);
	return bad;
}

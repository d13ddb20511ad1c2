/* SPDX-License-Identifier: Apache-2.0 */
/* tarn bench: what the counters of a measurement say. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static bool is_exact(const bench *b)
{
	return !strcmp(b->s.mode, "exact");
}

double bench_host_ms(const bench *b)
{
	return b->prepare + b->total + b->results;
}

bench_shares bench_find_shares(const bench *b)
{
	double known = b->prepare + b->copy_in + b->device + b->copy_out + b->wait, all = bench_host_ms(b);
	if (all < known)
		all = known;
	if (all <= 0)
		return (bench_shares){0, 0, 0, 0, 0, 1};
	bench_shares s = {b->prepare / all, b->copy_in / all, b->device / all, b->copy_out / all, b->wait / all, 0};
	s.other = 1 - s.prepare - s.copy_in - s.device - s.copy_out - s.wait;
	s.other = s.other < 0 ? 0 : s.other;
	return s;
}

double bench_busy(const bench *b)
{
	if (is_exact(b) || b->duration_ms <= 0)
		return NAN;
	double sum = 0, v;
	for (size_t i = 0; i < b->n_device; i++)
		sum += b->device_ms[i];
	/* A device that reports its times runs one inference after the other; else the host's view of each stream counts. */
	if (b->n_device && b->n_device == b->n)
		v = sum / b->duration_ms;
	else
		v = b->device / (b->duration_ms * (double)(b->streams > 0 ? b->streams : 1));
	return v > 1 ? 1 : v;
}

double bench_mac(const bench *b)
{
	return b->mac;
}

double bench_ddr(const bench *b)
{
	return b->ddr;
}

static int find(const bench *b, tarn_verdict *v)
{
	tarn_diag_counters c;
	bench_get_counters(b, &c);
	return tarn_diagnose_counters(&c, v) == OK ? 0 : fail_last(b->s.command);
}

/* A word as a shell reads it back. False: no room. */
static bool add_word(char *text, size_t size, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%";
	size_t n = strlen(text);
	bool bare = *word && strspn(word, plain) == strlen(word);
	if (n + 4 * strlen(word) + 4 > size)
		return false;
	text[n++] = ' ';
	if (!bare)
		text[n++] = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			n += (size_t)snprintf(text + n, size - n, "'\\''");
		else
			text[n++] = *word;
	}
	if (!bare)
		text[n++] = '\'';
	text[n] = 0;
	return true;
}

static bool add_words(const options *o, char *text, size_t size)
{
	for (int i = 0; i < o->argc; i++)
		if (strcmp(o->argv[i], "--json") != 0 && !add_word(text, size, o->argv[i]))
			return false;
	return true;
}

/* model.onnx becomes model-int8.onnx, in this folder. */
static void int8_name(const char *model, char *name, size_t size)
{
	const char *slash = strrchr(model, '/'), *base = slash ? slash + 1 : model, *dot = strrchr(base, '.');
	snprintf(name, size, "%.*s-int8.onnx", (int)(dot ? dot - base : (long)strlen(base)), base);
}

/* Those of the change that is advised, else the next step where it is nothing but flags. */
static bool flags_of(const bench *b, const tarn_verdict *v, char *flags, size_t size)
{
	tarn_diag_counters c;
	tarn_change_list list = {NULL, 0};
	int n = *v->next == '-' && !strchr(v->next, ';') ? snprintf(flags, size, "%s", v->next) : 0;
	bench_get_counters(b, &c);
	if (!n && v->change && v->gain >= 1.05 && tarn_list_changes(&c, &list) == OK)
		for (size_t i = 0; i < list.size; i++)
			if (!strcmp(list.at[i].word, v->change) && *list.at[i].flags == '-')
				n = snprintf(flags, size, "%s", list.at[i].flags);
	tarn_free_changes(&list);
	return n > 0 && (size_t)n < size;
}

bool bench_command(const bench *b, const tarn_verdict *v, char *text, size_t size)
{
	char name[256];
	if (v->change && !strcmp(v->change, "precision")) {
		int8_name(b->o->model, name, sizeof name);
		snprintf(text, size, "tarn quantize -m");
		return add_word(text, size, b->o->model) && add_word(text, size, "--data") &&
		       add_word(text, size, b->o->live ? b->o->live : "SAMPLES") && add_word(text, size, "-o") &&
		       add_word(text, size, name);
	}
	char flags[256];
	if (!flags_of(b, v, flags, sizeof flags))
		return false;
	/* The flags are several words, and none needs quotes. */
	snprintf(text, size, "tarn %s", b->s.command);
	size_t n = add_words(b->o, text, size) ? strlen(text) : size;
	return n < size && (size_t)snprintf(text + n, size - n, " %s", flags) < size - n;
}

int bench_print_verdict(const bench *b)
{
	tarn_verdict v;
	int code = find(b, &v);
	if (code)
		return code;
	printf("Verdict: %s. Next: %s", v.sentence, v.next);
	if (v.gain >= 1.05)
		printf(" (predicted: %.1f times the rate)", v.gain);
	printf("\n");
	char text[4096];
	if (bench_command(b, &v, text, sizeof text))
		printf("Try: %s\n", text);
	tarn_free_verdict(&v);
	return 0;
}

int bench_json_verdict(const bench *b, json *j)
{
	tarn_verdict v;
	int code = find(b, &v);
	if (code)
		return code;
	json_begin(j, "verdict", '{');
	json_text(j, "name", v.name);
	json_text(j, "sentence", v.sentence);
	json_text(j, "next", v.next);
	char text[4096];
	json_text(j, "command", bench_command(b, &v, text, sizeof text) ? text : NULL);
	json_text(j, "detail", v.detail);
	json_text(j, "change", v.change);
	json_num(j, "predicted_gain", v.gain);
	json_end(j, '}');
	tarn_free_verdict(&v);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/compile/flags.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_TEXT 65536
#define MAX_ENTRIES 1024

typedef struct option {
	const char *key;
	enum { BOOL, NUMBER, WORD, TEXT } kind;
	const char *words; /* WORD: the values allowed, separated by spaces */
} option;

static const option options[] = {
	{"PERF_COUNT", BOOL, NULL},
	{"PERFORMANCE_HINT", WORD, "LATENCY THROUGHPUT UNDEFINED CUMULATIVE_THROUGHPUT"},
	{"INFERENCE_PRECISION_HINT", WORD, "f16 i8 FP16 I8"},
	{"EXECUTION_MODE_HINT", WORD, "PERFORMANCE ACCURACY"},
	{"LOG_LEVEL", WORD, "LOG_NONE LOG_ERROR LOG_WARNING LOG_INFO LOG_DEBUG LOG_TRACE"},
	{"DEVICE_ID", TEXT, NULL},
	{"COMPILATION_NUM_THREADS", NUMBER, NULL},
	{"NPU_PLATFORM", WORD, "AUTO_DETECT 3720 4000 NPU3720 NPU4000"},
	{"NPU_TILES", NUMBER, NULL},
	{"NPU_MAX_TILES", NUMBER, NULL},
	{"NPU_STEPPING", NUMBER, NULL},
	{"NPU_TURBO", BOOL, NULL},
	{"NPU_COMPILATION_MODE_PARAMS", TEXT, NULL},
};
#define N_OPTIONS (sizeof options / sizeof *options)

typedef struct precision_name {
	const char *name;
	ze_graph_argument_precision_t value;
} precision_name;

static const precision_name precisions[] = {
	{"UNSPECIFIED", ZE_GRAPH_ARGUMENT_PRECISION_UNKNOWN},
	{"FP32", ZE_GRAPH_ARGUMENT_PRECISION_FP32},
	{"FP16", ZE_GRAPH_ARGUMENT_PRECISION_FP16},
	{"BF16", ZE_GRAPH_ARGUMENT_PRECISION_BF16},
	{"FP64", ZE_GRAPH_ARGUMENT_PRECISION_FP64},
	{"U64", ZE_GRAPH_ARGUMENT_PRECISION_UINT64},
	{"U32", ZE_GRAPH_ARGUMENT_PRECISION_UINT32},
	{"U16", ZE_GRAPH_ARGUMENT_PRECISION_UINT16},
	{"U8", ZE_GRAPH_ARGUMENT_PRECISION_UINT8},
	{"U4", ZE_GRAPH_ARGUMENT_PRECISION_UINT4},
	{"I64", ZE_GRAPH_ARGUMENT_PRECISION_INT64},
	{"I32", ZE_GRAPH_ARGUMENT_PRECISION_INT32},
	{"I16", ZE_GRAPH_ARGUMENT_PRECISION_INT16},
	{"I8", ZE_GRAPH_ARGUMENT_PRECISION_INT8},
	{"I4", ZE_GRAPH_ARGUMENT_PRECISION_INT4},
	{"BOOL", ZE_GRAPH_ARGUMENT_PRECISION_BOOLEAN},
	{"BIN", ZE_GRAPH_ARGUMENT_PRECISION_BIN},
	{"DYNAMIC", ZE_GRAPH_ARGUMENT_PRECISION_DYNAMIC},
};

static const struct layout_name {
	const char *name;
	ze_graph_argument_layout_t value;
} layouts[] = {
	{"ANY", ZE_GRAPH_ARGUMENT_LAYOUT_ANY},         {"SCALAR", ZE_GRAPH_ARGUMENT_LAYOUT_ANY},
	{"NCHW", ZE_GRAPH_ARGUMENT_LAYOUT_NCHW},       {"NHWC", ZE_GRAPH_ARGUMENT_LAYOUT_NHWC},
	{"NCDHW", ZE_GRAPH_ARGUMENT_LAYOUT_NCDHW},     {"NDHWC", ZE_GRAPH_ARGUMENT_LAYOUT_NDHWC},
	{"OIHW", ZE_GRAPH_ARGUMENT_LAYOUT_OIHW},       {"C", ZE_GRAPH_ARGUMENT_LAYOUT_C},
	{"CHW", ZE_GRAPH_ARGUMENT_LAYOUT_CHW},         {"HW", ZE_GRAPH_ARGUMENT_LAYOUT_HW},
	{"NC", ZE_GRAPH_ARGUMENT_LAYOUT_NC},           {"CN", ZE_GRAPH_ARGUMENT_LAYOUT_CN},
	{"BLOCKED", ZE_GRAPH_ARGUMENT_LAYOUT_BLOCKED},
};

const char *tarn_cc_option_names(void)
{
	/* Kept equal to the table by a test. */
	return "PERF_COUNT PERFORMANCE_HINT INFERENCE_PRECISION_HINT EXECUTION_MODE_HINT LOG_LEVEL DEVICE_ID "
	       "COMPILATION_NUM_THREADS NPU_PLATFORM NPU_TILES NPU_MAX_TILES NPU_STEPPING NPU_TURBO "
	       "NPU_COMPILATION_MODE_PARAMS";
}

static const option *find_option(const char *key)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (!strcmp(options[i].key, key))
			return &options[i];
	return NULL;
}

static bool word_in(const char *words, const char *value)
{
	size_t n = strlen(value);
	for (const char *p = words; *p;) {
		size_t w = strcspn(p, " ");
		if (w == n && !memcmp(p, value, n))
			return true;
		p += w;
		p += *p == ' ';
	}
	return false;
}

bool tarn_cc_option_supported(const char *key, const char *value)
{
	const option *o = find_option(key);
	if (!o || !value)
		return o;
	bool b;
	int64_t i;
	switch (o->kind) {
	case BOOL:
		return tarn_str_to_bool(value, &b);
	case NUMBER:
		return tarn_str_to_i64(value, &i) && i >= -1 && i <= 1024;
	case WORD:
		return word_in(o->words, value);
	case TEXT:
		break;
	}
	return true;
}

const char *tarn_cc_flags_find(const tarn_cc_flags *f, const char *key)
{
	for (uint32_t i = f->n_config; i-- > 0;) /* the last one given counts */
		if (!strcmp(f->config[i].key, key))
			return f->config[i].value;
	return NULL;
}

static tarn_err parse_precision(const char *text, ze_graph_argument_precision_t *v)
{
	for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
		if (!strcasecmp(precisions[i].name, text)) {
			*v = precisions[i].value;
			return TARN_OK;
		}
	return tarn_err_set(TARN_USAGE,
			    "build flags: unknown precision '%s'; use FP32, FP16, U8, I8, I32 or another of OpenVINO's", text);
}

static tarn_err parse_layout(const char *text, ze_graph_argument_layout_t *v)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (!strcasecmp(layouts[i].name, text)) {
			*v = layouts[i].value;
			return TARN_OK;
		}
	return tarn_err_set(TARN_USAGE, "build flags: unknown layout '%s'; use NCHW, NC, C or another of OpenVINO's", text);
}

static tarn_cc_io *io_find(tarn_cc_flags *f, bool output, char *name)
{
	tarn_cc_io *list = output ? f->output : f->input;
	uint32_t *n = output ? &f->n_outputs : &f->n_inputs;
	for (uint32_t i = 0; i < *n; i++)
		if (!strcmp(list[i].name, name))
			return &list[i];
	if (*n == MAX_ENTRIES)
		return NULL;
	int64_t index;
	tarn_cc_io *io = &list[(*n)++];
	io->name = name;
	io->index = tarn_str_to_i64(name, &index) && index >= 0 && index < MAX_ENTRIES ? (int)index : -1;
	return io;
}

/* "0:FP16 name:with:colons:FP32": split at spaces, then at the last colon. */
static tarn_err parse_io(tarn_cc_flags *f, char *text, bool output, bool layout)
{
	tarn_cc_io **list = output ? &f->output : &f->input;
	if (!*list && !(*list = tarn_arena_zalloc(&f->mem, MAX_ENTRIES, sizeof **list)))
		return tarn_err_nomem(MAX_ENTRIES * sizeof **list);
	for (char *save, *word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		char *colon = strrchr(word, ':');
		CHECK(colon && colon > word && colon[1], TARN_USAGE, "build flags: '%s' should be <index>:<value>", word);
		*colon = 0;
		tarn_cc_io *io = io_find(f, output, word);
		CHECK(io, TARN_USAGE, "build flags: more than %d arguments named", MAX_ENTRIES);
		if (layout)
			TRY(parse_layout(colon + 1, &io->layout));
		else
			TRY(parse_precision(colon + 1, &io->precision));
	}
	return TARN_OK;
}

static tarn_err add_config(tarn_cc_flags *f, char *key, const char *value)
{
	/* Names of before the NPU was called so. */
	for (const char *const *old = (const char *const[]){"VPUX_", "VPU_", NULL}; *old; old++)
		if (!strncmp(key, *old, strlen(*old))) {
			key = tarn_arena_printf(&f->mem, "NPU_%s", key + strlen(*old));
			if (!key)
				return tarn_err_nomem(64);
			break;
		}
	CHECK(find_option(key), TARN_USAGE, "build flags: unknown compiler option '%s'; known are %s", key,
	      tarn_cc_option_names());
	CHECK(tarn_cc_option_supported(key, value), TARN_USAGE, "build flags: %s cannot be '%s'%s%s", key, value,
	      find_option(key)->words ? "; allowed are " : "", find_option(key)->words ? find_option(key)->words : "");
	if (!f->config && !(f->config = tarn_arena_zalloc(&f->mem, MAX_ENTRIES, sizeof *f->config)))
		return tarn_err_nomem(MAX_ENTRIES * sizeof *f->config);
	CHECK(f->n_config < MAX_ENTRIES, TARN_USAGE, "build flags: more than %d options", MAX_ENTRIES);
	f->config[f->n_config++] = (tarn_cc_pair){key, value};
	return TARN_OK;
}

/* KEY="VALUE" or KEY=VALUE at *at; key and value are cut out in place. */
static tarn_err take_pair(char **at, char **key, char **value)
{
	char *p = *at, *eq = strchr(p, '=');
	size_t word = strcspn(p, " \t\r\n");
	CHECK(eq && (size_t)(eq - p) < word && eq > p, TARN_USAGE, "build flags: '%.*s' should be KEY=\"VALUE\"",
	      (int)(word < 80 ? word : 80), p);
	*key = p;
	*eq = 0;
	p = eq + 1;
	char *end;
	if (*p == '"') {
		*value = ++p;
		end = strchr(p, '"');
		CHECK(end, TARN_USAGE, "build flags: the value of %s has no closing quote", *key);
	} else {
		*value = p;
		end = p + strcspn(p, " \t\r\n");
	}
	*at = *end ? end + 1 : end;
	*end = 0;
	return TARN_OK;
}

/* The options the compiler acts on, from the pairs. Values were checked. */
static void interpret(tarn_cc_flags *f)
{
	const char *v;
	int64_t i;
	f->optimization_level = 1;
	if ((v = tarn_cc_flags_find(f, "PERF_COUNT")))
		tarn_str_to_bool(v, &f->profiling);
	if ((v = tarn_cc_flags_find(f, "NPU_TURBO")))
		tarn_str_to_bool(v, &f->turbo);
	if ((v = tarn_cc_flags_find(f, "NPU_TILES")) && tarn_str_to_i64(v, &i) && i > 0)
		f->tiles = (int)i;
	if ((v = tarn_cc_flags_find(f, "NPU_PLATFORM")))
		f->platform = strstr(v, "3720") ? 3720 : strstr(v, "4000") ? 4000 : 0;
	if ((v = tarn_cc_flags_find(f, "PERFORMANCE_HINT")) && strstr(v, "THROUGHPUT"))
		f->hint = TARN_CC_THROUGHPUT;
	if ((v = tarn_cc_flags_find(f, "EXECUTION_MODE_HINT")))
		f->mode = !strcmp(v, "ACCURACY") ? TARN_CC_ACCURACY : TARN_CC_PERFORMANCE;
	else if ((v = tarn_cc_flags_find(f, "INFERENCE_PRECISION_HINT")) && !strcasecmp(v, "f16"))
		f->mode = TARN_CC_PERFORMANCE;
	if ((v = tarn_cc_flags_find(f, "NPU_COMPILATION_MODE_PARAMS")) && (v = strstr(v, "optimization-level=")) &&
	    v[19] >= '0' && v[19] <= '2')
		f->optimization_level = v[19] - '0';
	if ((v = tarn_cc_flags_find(f, "NPU_COMPILATION_MODE_PARAMS")) && (v = strstr(v, "what-if=free-")))
		f->what_if = !strncmp(v + 13, "bandwidth", 9) ? TARN_CC_FREE_BANDWIDTH
			     : !strncmp(v + 13, "compute", 7) ? TARN_CC_FREE_COMPUTE
							      : TARN_CC_AS_IS;
}

static tarn_err parse(char *p, tarn_cc_flags *f)
{
	bool config = false;
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (!*p)
			return TARN_OK;
		size_t word = strcspn(p, " \t\r\n");
		if (word == 8 && !memcmp(p, "--config", 8)) {
			config = true;
			p += word;
			continue;
		}
		char *key = NULL, *value = NULL;
		TRY(take_pair(&p, &key, &value));
		if (!strcmp(key, "--inputs_precisions"))
			TRY(parse_io(f, value, false, false));
		else if (!strcmp(key, "--inputs_layouts"))
			TRY(parse_io(f, value, false, true));
		else if (!strcmp(key, "--outputs_precisions"))
			TRY(parse_io(f, value, true, false));
		else if (!strcmp(key, "--outputs_layouts"))
			TRY(parse_io(f, value, true, true));
		else if (config && key[0] != '-')
			TRY(add_config(f, key, value));
		else
			return tarn_err_set(TARN_USAGE, "build flags: unknown part '%s'", key);
	}
}

tarn_err tarn_cc_flags_parse(const char *text, tarn_cc_flags *flags)
{
	tarn_cc_flags f = {0};
	tarn_err err;
	size_t n = text ? strnlen(text, MAX_TEXT) : 0;
	CHECK_GOTO(fail, n < MAX_TEXT, TARN_USAGE, "build flags: longer than %d bytes", MAX_TEXT - 1);
	char *copy = tarn_arena_strndup(&f.mem, text ? text : "", n);
	if (!copy) {
		err = tarn_err_nomem(n);
		goto fail;
	}
	TRY_GOTO(fail, parse(copy, &f));
	interpret(&f);
	*flags = f;
	return TARN_OK;
fail:
	tarn_arena_fini(&f.mem);
	return err;
}

void tarn_cc_flags_fini(tarn_cc_flags *flags)
{
	tarn_arena_fini(&flags->mem);
	*flags = (tarn_cc_flags){0};
}

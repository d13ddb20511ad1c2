/* SPDX-License-Identifier: Apache-2.0 */
/* Interface arguments: the model's inputs and outputs, with the precisions and layouts that the build flags ask for. */
#include <string.h>

#include "driver/compile/plan.h"

static const struct precision_row {
	ze_graph_argument_precision_t precision;
	tarn_dtype type;
} precisions[] = {
	{ZE_GRAPH_ARGUMENT_PRECISION_FP32, TARN_F32},     {ZE_GRAPH_ARGUMENT_PRECISION_FP16, TARN_F16},
	{ZE_GRAPH_ARGUMENT_PRECISION_BF16, TARN_BF16},    {ZE_GRAPH_ARGUMENT_PRECISION_FP64, TARN_F64},
	{ZE_GRAPH_ARGUMENT_PRECISION_UINT8, TARN_U8},     {ZE_GRAPH_ARGUMENT_PRECISION_INT8, TARN_I8},
	{ZE_GRAPH_ARGUMENT_PRECISION_UINT16, TARN_U16},   {ZE_GRAPH_ARGUMENT_PRECISION_INT16, TARN_I16},
	{ZE_GRAPH_ARGUMENT_PRECISION_UINT32, TARN_U32},   {ZE_GRAPH_ARGUMENT_PRECISION_INT32, TARN_I32},
	{ZE_GRAPH_ARGUMENT_PRECISION_UINT64, TARN_U64},   {ZE_GRAPH_ARGUMENT_PRECISION_INT64, TARN_I64},
	{ZE_GRAPH_ARGUMENT_PRECISION_BOOLEAN, TARN_BOOL},
};

tarn_dtype tarn_npu_dtype(ze_graph_argument_precision_t p)
{
	for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
		if (precisions[i].precision == p)
			return precisions[i].type;
	return TARN_DTYPE_NONE;
}

ze_graph_argument_precision_t tarn_npu_precision(tarn_dtype t)
{
	for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
		if (precisions[i].type == t)
			return precisions[i].precision;
	return ZE_GRAPH_ARGUMENT_PRECISION_UNKNOWN;
}

/* Row-major order of a rank, which is all the interface carries. */
static bool natural(ze_graph_argument_layout_t l, uint32_t rank)
{
	switch (l) {
	case ZE_GRAPH_ARGUMENT_LAYOUT_ANY:
		return true;
	case ZE_GRAPH_ARGUMENT_LAYOUT_C:
		return rank == 1;
	case ZE_GRAPH_ARGUMENT_LAYOUT_NC:
	case ZE_GRAPH_ARGUMENT_LAYOUT_HW:
		return rank == 2;
	case ZE_GRAPH_ARGUMENT_LAYOUT_CHW:
		return rank == 3;
	case ZE_GRAPH_ARGUMENT_LAYOUT_NCHW:
	case ZE_GRAPH_ARGUMENT_LAYOUT_OIHW:
		return rank == 4;
	case ZE_GRAPH_ARGUMENT_LAYOUT_NCDHW:
		return rank == 5;
	default:
		return false;
	}
}

/* Splits "a,b\,c" into names; the value's own name comes first. */
static tarn_err tensor_names(const tarn_value *v, tarn_arena *a, tarn_npu_arg *arg)
{
	size_t most = 2;
	for (const char *p = v->aliases; p && *p; p++)
		most += *p == ',';
	const char **names = tarn_arena_zalloc(a, most, sizeof *names);
	char *text = tarn_arena_strdup(a, v->aliases ? v->aliases : ""), *to = text;
	if (!names || !text || !(names[0] = tarn_arena_strdup(a, v->name)))
		return tarn_err_nomem(most * sizeof *names);
	uint32_t n = 1;
	const char *start = text;
	for (const char *p = text;; p++) {
		if (*p == '\\' && p[1]) {
			*to++ = *++p;
			continue;
		}
		char c = *p;
		*to++ = c == ',' ? 0 : c;
		if (c && c != ',')
			continue;
		to[-1] = 0;
		if (*start && strcmp(start, v->name) && n < ZE_MAX_GRAPH_TENSOR_NAMES_SIZE)
			names[n++] = start;
		start = to;
		if (!c)
			break;
	}
	arg->tensor_name = names;
	arg->n_tensor_names = n;
	return TARN_OK;
}

static const tarn_cc_io *asked_for(const tarn_cc_flags *f, bool output, int index, const tarn_npu_arg *arg)
{
	const tarn_cc_io *io = output ? f->output : f->input;
	uint32_t n = output ? f->n_outputs : f->n_inputs;
	for (uint32_t i = 0; i < n; i++)
		if (io[i].index == index || (io[i].index < 0 && io[i].name && !strcmp(io[i].name, arg->name)))
			return &io[i];
	return NULL;
}

static tarn_err check_asked(const tarn_cc_flags *f, const npu_args *args)
{
	for (int output = 0; output < 2; output++) {
		const tarn_cc_io *io = output ? f->output : f->input;
		uint32_t n = output ? f->n_outputs : f->n_inputs, have = output ? args->n - args->n_inputs : args->n_inputs;
		const tarn_npu_arg *at = args->at + (output ? args->n_inputs : 0);
		for (uint32_t i = 0; i < n; i++) {
			bool found = io[i].index >= 0 && (uint32_t)io[i].index < have;
			for (uint32_t k = 0; k < have && io[i].index < 0; k++)
				found |= io[i].name && !strcmp(io[i].name, at[k].name);
			CHECK(found, TARN_USAGE, "build flags: there is no %s '%s'; the model has %u",
			      output ? "output" : "input", io[i].name ? io[i].name : "?", have);
		}
	}
	return TARN_OK;
}

static tarn_err make(const tarn_value *v, const tarn_cc_flags *f, bool output, int index, tarn_arena *a, tarn_npu_arg *arg)
{
	const char *name = output && v->def ? v->def->name : v->name;
	*arg = (tarn_npu_arg){.output = output};
	arg->name = tarn_arena_strdup(a, name);
	arg->friendly_name = output ? tarn_arena_printf(a, "%s/sink_port_%d", v->name, 0) : arg->name;
	if (!arg->name || !arg->friendly_name)
		return tarn_err_nomem(strlen(name));
	TRY(tensor_names(v, a, arg));
	const char *what = output ? "output" : "input";
	const tarn_cc_io *io = f ? asked_for(f, output, index, arg) : NULL;
	arg->ir_precision = tarn_npu_precision(v->type);
	arg->precision = io && io->precision ? io->precision : arg->ir_precision;
	tarn_dtype t = tarn_npu_dtype(arg->precision);
	CHECK(arg->ir_precision && t, TARN_UNSUPPORTED, "%s '%s' of type %s cannot cross the NPU's interface", what, v->name,
	      tarn_dtype_info(v->type)->word);
	CHECK(!io || v->shape.rank < 0 || natural(io->layout, (uint32_t)v->shape.rank), TARN_UNSUPPORTED,
	      "%s '%s': the NPU's interface takes row-major tensors only; transpose in the model", what, v->name);
	return TARN_OK;
}

tarn_err tarn_npu_args_make(const tarn_graph *g, const tarn_cc_flags *flags, tarn_arena *a, npu_args *args)
{
	*args = (npu_args){.n = (uint32_t)(g->input.len + g->output.len), .n_inputs = (uint32_t)g->input.len};
	args->at = tarn_arena_zalloc(a, args->n + 1u, sizeof *args->at);
	if (!args->at)
		return tarn_err_nomem(args->n * sizeof *args->at);
	for (uint32_t i = 0; i < args->n; i++) {
		bool output = i >= args->n_inputs;
		size_t k = output ? i - args->n_inputs : i;
		TRY(make(output ? g->output.at[k] : g->input.at[k], flags, output, (int)k, a, &args->at[i]));
	}
	return flags ? check_asked(flags, args) : TARN_OK;
}

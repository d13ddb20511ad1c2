/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of a graph: their description, and the memory bound to them. */
#include <string.h>

#include "driver/ze/ze.h"

static void put_name(char to[ZE_MAX_GRAPH_ARGUMENT_NAME], const char *name)
{
	size_t n = name ? strnlen(name, ZE_MAX_GRAPH_ARGUMENT_NAME - 1) : 0;
	if (n)
		memcpy(to, name, n);
	memset(to + n, 0, ZE_MAX_GRAPH_ARGUMENT_NAME - n);
}

static ze_graph_argument_layout_t default_layout(uint32_t rank)
{
	static const ze_graph_argument_layout_t by_rank[] = {ZE_GRAPH_ARGUMENT_LAYOUT_ANY,  ZE_GRAPH_ARGUMENT_LAYOUT_C,
							     ZE_GRAPH_ARGUMENT_LAYOUT_NC,   ZE_GRAPH_ARGUMENT_LAYOUT_CHW,
							     ZE_GRAPH_ARGUMENT_LAYOUT_NCHW, ZE_GRAPH_ARGUMENT_LAYOUT_NCDHW};
	return rank < sizeof by_rank / sizeof *by_rank ? by_rank[rank] : ZE_GRAPH_ARGUMENT_LAYOUT_ANY;
}

/* The part all versions of the structure begin with. */
#define FILL(p, a) \
	do { \
		put_name((p)->name, (a)->name); \
		(p)->type = (a)->output ? ZE_GRAPH_ARGUMENT_TYPE_OUTPUT : ZE_GRAPH_ARGUMENT_TYPE_INPUT; \
		for (uint32_t k_ = 0; k_ < ZE_MAX_GRAPH_ARGUMENT_DIMENSIONS_SIZE; k_++) \
			(p)->dims[k_] = k_ < (a)->rank ? (uint32_t)(a)->dims[k_] : 1; \
		(p)->networkPrecision = (a)->ir_precision; \
		(p)->devicePrecision = (a)->precision; \
		(p)->networkLayout = (p)->deviceLayout = default_layout((a)->rank); \
	} while (0)

static ze_result_t find(ze_graph_handle_t g, uint32_t i, const void *out, const tarn_npu_arg **arg)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(out);
	if (i >= g->n_args)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	*arg = &g->arg[i];
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_graph_arg(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_t *p)
{
	const tarn_npu_arg *a;
	ZE_TRY(find(g, i, p, &a));
	FILL(p, a);
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_graph_arg2(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_2_t *p)
{
	const tarn_npu_arg *a;
	ZE_TRY(find(g, i, p, &a));
	FILL(p, a);
	p->quantReverseScale = 1;
	p->quantZeroPoint = 0;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_graph_arg3(ze_graph_handle_t g, uint32_t i, ze_graph_argument_properties_3_t *p)
{
	const tarn_npu_arg *a;
	ZE_TRY(find(g, i, p, &a));
	FILL(p, a);
	p->quantReverseScale = 1;
	p->quantZeroPoint = 0;
	p->dims_count = a->rank;
	put_name(p->debug_friendly_name, a->friendly_name);
	p->associated_tensor_names_count =
		a->n_tensor_names < ZE_MAX_GRAPH_TENSOR_NAMES_SIZE ? a->n_tensor_names : ZE_MAX_GRAPH_TENSOR_NAMES_SIZE;
	for (uint32_t k = 0; k < p->associated_tensor_names_count; k++)
		put_name(p->associated_tensor_names[k], a->tensor_name[k]);
	return ZE_RESULT_SUCCESS;
}

static ze_graph_metadata_type metadata_type(ze_graph_argument_precision_t p)
{
	static const ze_graph_metadata_type types[] = {
		[ZE_GRAPH_ARGUMENT_PRECISION_FP32] = ZE_GRAPH_METADATA_TYPE_F32,
		[ZE_GRAPH_ARGUMENT_PRECISION_FP16] = ZE_GRAPH_METADATA_TYPE_F16,
		[ZE_GRAPH_ARGUMENT_PRECISION_UINT16] = ZE_GRAPH_METADATA_TYPE_U16,
		[ZE_GRAPH_ARGUMENT_PRECISION_UINT8] = ZE_GRAPH_METADATA_TYPE_U8,
		[ZE_GRAPH_ARGUMENT_PRECISION_INT32] = ZE_GRAPH_METADATA_TYPE_I32,
		[ZE_GRAPH_ARGUMENT_PRECISION_INT16] = ZE_GRAPH_METADATA_TYPE_I16,
		[ZE_GRAPH_ARGUMENT_PRECISION_INT8] = ZE_GRAPH_METADATA_TYPE_I8,
		[ZE_GRAPH_ARGUMENT_PRECISION_BIN] = ZE_GRAPH_METADATA_TYPE_U1,
		[ZE_GRAPH_ARGUMENT_PRECISION_BF16] = ZE_GRAPH_METADATA_TYPE_BF16,
		[ZE_GRAPH_ARGUMENT_PRECISION_UINT32] = ZE_GRAPH_METADATA_TYPE_U32,
		[ZE_GRAPH_ARGUMENT_PRECISION_UINT4] = ZE_GRAPH_METADATA_TYPE_U4,
		[ZE_GRAPH_ARGUMENT_PRECISION_INT4] = ZE_GRAPH_METADATA_TYPE_I4,
		[ZE_GRAPH_ARGUMENT_PRECISION_DYNAMIC] = ZE_GRAPH_METADATA_TYPE_DYNAMIC,
		[ZE_GRAPH_ARGUMENT_PRECISION_BOOLEAN] = ZE_GRAPH_METADATA_TYPE_BOOLEAN,
		[ZE_GRAPH_ARGUMENT_PRECISION_FP64] = ZE_GRAPH_METADATA_TYPE_F64,
		[ZE_GRAPH_ARGUMENT_PRECISION_UINT64] = ZE_GRAPH_METADATA_TYPE_U64,
		[ZE_GRAPH_ARGUMENT_PRECISION_INT64] = ZE_GRAPH_METADATA_TYPE_I64,
	};
	return (size_t)p < sizeof types / sizeof *types ? types[p] : ZE_GRAPH_METADATA_TYPE_UNDEFINED;
}

ze_result_t tarn_ze_graph_arg_metadata(ze_graph_handle_t g, uint32_t i, ze_graph_argument_metadata_t *p)
{
	const tarn_npu_arg *a;
	ZE_TRY(find(g, i, p, &a));
	p->type = a->output ? ZE_GRAPH_ARGUMENT_TYPE_OUTPUT : ZE_GRAPH_ARGUMENT_TYPE_INPUT;
	put_name(p->friendly_name, a->friendly_name);
	p->data_type = metadata_type(a->ir_precision);
	p->shape_size = a->rank;
	for (uint32_t k = 0; k < ZE_MAX_GRAPH_TENSOR_REF_DIMS; k++)
		p->shape[k] = k < a->rank ? a->dims[k] : 0;
	p->tensor_names_count =
		a->n_tensor_names < ZE_MAX_GRAPH_TENSOR_NAMES_SIZE ? a->n_tensor_names : ZE_MAX_GRAPH_TENSOR_NAMES_SIZE;
	for (uint32_t k = 0; k < p->tensor_names_count; k++)
		put_name(p->tensor_names[k], a->tensor_name[k]);
	put_name(p->input_name, a->name);
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_graph_set_arg(ze_graph_handle_t g, uint32_t i, const void *value)
{
	const tarn_npu_arg *a;
	ZE_TRY(find(g, i, value, &a));
	if (!tarn_ze_context_owns(g->context, value, a->bytes))
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	g->value[i] = (void *)(uintptr_t)value;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_graph_set_arg2(ze_graph_handle_t g, uint32_t i, const void *value)
{
	CHECK_HANDLE(g, TARN_ZE_GRAPH);
	CHECK_POINTER(value);
	const ze_graph_argument_value_tensor_t *t = value;
	if (t->pNext) /* strides; no argument supports them */
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	return tarn_ze_graph_set_arg(g, i, t->pTensor);
}

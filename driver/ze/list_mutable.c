/* SPDX-License-Identifier: Apache-2.0 */
/* Mutable command lists: other tensors for a graph that was appended already. */
#include "driver/ze/ze.h"

static ze_result_t list_next_id(ze_command_list_handle_t l, const ze_mutable_command_id_exp_desc_t *desc, uint64_t *id)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(desc);
	CHECK_POINTER(id);
	if (!l->mutable || l->closed)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	if (desc->flags != ZE_TARN_MUTABLE_GRAPH_ARGUMENTS && desc->flags != ZE_TARN_MUTABLE_GRAPH_ARGUMENT_DEPRECATED)
		return ZE_RESULT_ERROR_INVALID_ENUMERATION;
	l->next_is_mutable = true;
	*id = l->cmds.len + 1;
	return ZE_RESULT_SUCCESS;
}

static tarn_cmd *find(tarn_ze_list *l, uint64_t id)
{
	tarn_cmd *c = id && id <= l->cmds.len ? &l->cmds.at[id - 1] : NULL;
	return c && c->id == id && c->kind == TARN_CMD_GRAPH ? c : NULL;
}

static ze_result_t check(tarn_ze_list *l, const ze_tarn_mutable_graph_argument_t *m)
{
	if (m->stype != ZE_TARN_STYPE_MUTABLE_GRAPH_ARGUMENT &&
	    (int)m->stype != ZE_STRUCTURE_TYPE_MUTABLE_GRAPH_ARGUMENT_EXP_DESC_DEPRECATED)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT; /* strides, profiling queries, kernels: not here */
	const tarn_cmd *c = find(l, m->commandId);
	if (!c || m->argIndex >= c->n_args)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(m->pArgValue);
	uint32_t n;
	const tarn_npu_arg *arg = tarn_npu_program_args(c->program, &n);
	return tarn_ze_context_owns(l->context, m->pArgValue, arg[m->argIndex].bytes) ? ZE_RESULT_SUCCESS
										      : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

static ze_result_t list_update(ze_command_list_handle_t l, const ze_mutable_commands_exp_desc_t *desc)
{
	CHECK_HANDLE(l, TARN_ZE_LIST);
	CHECK_POINTER(desc);
	if (!l->mutable || desc->flags)
		return ZE_RESULT_ERROR_INVALID_ARGUMENT;
	CHECK_POINTER(desc->pNext);
	/* All or nothing. */
	for (const ze_tarn_mutable_graph_argument_t *m = desc->pNext; m; m = m->pNext)
		ZE_TRY(check(l, m));
	for (const ze_tarn_mutable_graph_argument_t *m = desc->pNext; m; m = m->pNext)
		find(l, m->commandId)->args[m->argIndex] = (void *)(uintptr_t)m->pArgValue;
	return ZE_RESULT_SUCCESS;
}

ze_result_t tarn_ze_list_next_id_ext(ze_command_list_handle_t l, const ze_mutable_command_id_exp_desc_t *desc, uint64_t *id)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_LIST, l);
	return list_next_id(l, desc, id);
}

ze_result_t tarn_ze_list_update_ext(ze_command_list_handle_t l, const ze_mutable_commands_exp_desc_t *desc)
{
	TARN_ZE_TRANSLATE(TARN_ZEL_LIST, l);
	return list_update(l, desc);
}

const ze_tarn_command_list_exp_dditable_t tarn_ze_list_exp_table = {
	.pfnGetNextCommandIdExp = list_next_id,
	.pfnUpdateMutableCommandsExp = list_update,
};

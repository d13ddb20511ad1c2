/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/queue/cmd.h"

#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

static bool dup(const void *from, size_t n, size_t size, void *to)
{
	void *p = NULL;
	if (n) {
		p = tarn_mem_alloc(n * size);
		if (!p)
			return false;
		memcpy(p, from, n * size);
	}
	memcpy(to, &p, sizeof p);
	return true;
}

static void get_all(tarn_signal *const *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		tarn_ref_get(&s[i]->ref);
}

static void put_all(tarn_signal *const *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		tarn_ref_put(&s[i]->ref);
}

tarn_err tarn_cmds_add(tarn_cmds *list, const tarn_cmd *cmd)
{
	TRY(VEC_GROW(list));
	tarn_cmd c = *cmd;
	c.args = NULL;
	c.wait = c.target = NULL;
	if (!dup(cmd->args, c.n_args, sizeof *c.args, &c.args) || !dup(cmd->wait, c.n_wait, sizeof *c.wait, &c.wait) ||
	    !dup(cmd->target, c.n_targets, sizeof *c.target, &c.target)) {
		tarn_mem_free(c.args);
		tarn_mem_free(c.wait);
		tarn_mem_free(c.target);
		return tarn_err_nomem(sizeof c);
	}
	get_all(c.wait, c.n_wait);
	get_all(c.target, c.n_targets);
	tarn_ref_get(c.owner);
	tarn_ref_get(c.signal ? &c.signal->ref : NULL);
	tarn_ref_get(c.profile ? &c.profile->ref : NULL);
	list->at[list->len++] = c;
	return TARN_OK;
}

void tarn_cmds_fini(tarn_cmds *list)
{
	for (size_t i = 0; i < list->len; i++) {
		tarn_cmd *c = &list->at[i];
		put_all(c->wait, c->n_wait);
		put_all(c->target, c->n_targets);
		tarn_ref_put(c->owner);
		tarn_ref_put(c->signal ? &c->signal->ref : NULL);
		tarn_ref_put(c->profile ? &c->profile->ref : NULL);
		tarn_mem_free(c->args);
		tarn_mem_free(c->wait);
		tarn_mem_free(c->target);
	}
	VEC_FINI(list);
}

tarn_err tarn_cmds_copy(const tarn_cmds *from, tarn_cmds *to)
{
	tarn_cmds copy = {0};
	for (size_t i = 0; i < from->len; i++) {
		tarn_err err = tarn_cmds_add(&copy, &from->at[i]);
		if (err != TARN_OK) {
			tarn_cmds_fini(&copy);
			return err;
		}
	}
	*to = copy;
	return TARN_OK;
}

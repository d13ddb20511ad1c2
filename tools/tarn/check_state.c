/* SPDX-License-Identifier: Apache-2.0 */
/* tarn check: caches that grow with every call. The page is then about a call of one position, the cache being a window. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { WINDOW = 256, STEP = 16 };

/* The model of the file, rewritten for steps of that size; NULL with *why set (text for ov_free) when it cannot be. */
static ov_model_t *rewrite(const check *c, int64_t step, char **why)
{
	ov_model_t *m = NULL;
	tarn_state_options want = {.window = WINDOW, .step = step};
	if (ov_core_read_model(c->s.core, c->s.o->model, NULL, &m) == OK && tarn_make_stateful(m, &want) == OK)
		return m;
	ov_model_free(m);
	ov_free(*why);
	*why = (char *)(size_t)ov_get_last_err_msg();
	return NULL;
}

static int list_states(check *c)
{
	for (;;) {
		tarn_state_info *at = realloc(c->states.at, (c->states.n + 1) * sizeof *at);
		if (!at)
			return fail(1, "check", "out of memory");
		c->states.at = at;
		if (tarn_get_state(c->s.model, c->states.n, &at[c->states.n]) != OK)
			return 0;
		c->states.n++;
	}
}

int check_state_find(check *c)
{
	tarn_stateful_info info;
	int code = list_states(c);
	if (code || !c->states.n || tarn_get_stateful(c->s.model, &info) == OK) {
		if (!code && c->states.n)
			tarn_free_stateful(&info);
		return code;
	}
	ov_model_t *many = rewrite(c, STEP, &c->states.why), *one = many ? rewrite(c, 1, &c->states.why) : NULL;
	if (many && tarn_get_stateful(many, &c->states.info) != OK)
		code = fail_last("check");
	ov_model_free(many);
	if (!one || !c->states.info.window) { /* states of one size: the model is looked at as it is */
		ov_model_free(one);
		return code;
	}
	ov_model_free(c->s.model);
	c->s.model = one;
	c->states.window = WINDOW;
	return code;
}

void check_state_close(check *c)
{
	for (size_t i = 0; i < c->states.n; i++)
		tarn_free_state(&c->states.at[i]);
	free(c->states.at);
	tarn_free_stateful(&c->states.info);
	ov_free(c->states.why);
}

void check_state_help(check *c)
{
	if (!c->states.window)
		return;
	check_help(c,
		   "the cache as a window that stays on the device: tarn run -m %.300s -d NPU --state auto --window %d -i ...",
		   c->s.o->model, WINDOW);
	check_help(c, "one static model of a step: tarn convert -m %.300s --state auto --window %d --step 1 -o step.onnx",
		   c->s.o->model, WINDOW);
}

void check_state_print(const check *c)
{
	const tarn_state_info *first = c->states.at;
	if (!c->states.n)
		return;
	printf("states %zu: input '%s' is output '%s' of the call before", c->states.n, first->input, first->output);
	if (first->axis >= 0)
		printf(", longer along axis %d by each call", first->axis);
	printf("%s\n", c->states.n > 1 ? "; and so on" : "");
	if (c->states.why)
		printf("  they cannot become windows of fixed size: %s\n", c->states.why);
	if (!c->states.window)
		return;
	if (c->states.info.whole)
		printf("  a call of many positions cannot be cut into steps: %s\n", c->states.info.whole);
	else
		printf("  a call of many positions can be cut into steps, with the same results (proven)\n");
	if (c->states.info.exact)
		printf("  and cannot be padded: %s\n", c->states.info.exact);
	printf("looked at as a call of one position, with a window of %d\n", c->states.window);
}

void check_state_json(const check *c, json *j)
{
	json_begin(j, "states", '[');
	for (size_t i = 0; i < c->states.n; i++) {
		json_begin(j, NULL, '{');
		json_text(j, "input", c->states.at[i].input);
		json_text(j, "output", c->states.at[i].output);
		json_int(j, "axis", c->states.at[i].axis);
		json_end(j, '}');
	}
	json_end(j, ']');
	if (c->states.window)
		json_int(j, "looked_at_window", c->states.window);
	else
		json_null(j, "looked_at_window");
	json_text(j, "not_windows", c->states.why);
	json_text(j, "not_cut", c->states.info.whole);
	json_text(j, "not_padded", c->states.info.exact);
}

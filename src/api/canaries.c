/* SPDX-License-Identifier: Apache-2.0 */
#include "api/canaries.h"

#include "base/mem.h"
#include "pass/pass.h"
#include "rt/canary.h"
#include "rt/facts.h"

enum { MOST_ON_REFERENCE = 50000000 }; /* multiply-accumulates that take about a second there */

/* Multiply-accumulates at the sizes of the first sample; negative: not known. */
static int64_t macs_of(const tarn_model *m, const tarn_tensor *in)
{
	tarn_facts f = {0};
	tarn_model *copy = NULL;
	size_t n = m->main->input.len;
	tarn_shape *shape = tarn_mem_zalloc(n + 1, sizeof *shape);
	for (size_t i = 0; shape && i < n; i++)
		shape[i] = tarn_tensor_shape(&in[i]);
	bool known = shape && tarn_model_clone(m, &copy) == TARN_OK && tarn_model_reshape(copy, shape, (int)n) == TARN_OK &&
		     tarn_facts_find(copy->main, &f) == TARN_OK && !f.nodes_unknown;
	tarn_model_unref(copy);
	tarn_mem_free(shape);
	return known ? f.macs : -1;
}

/* Who says what the samples should give: the CPU. Of the CPU itself the operators' reference code where that takes less than a
 * second, else for a form out of CACHE_DIR the CPU compiled anew; NULL: nobody. */
static const char *reference_for(const tarn_model *m, const tarn_program *p, const tarn_tensor *in)
{
	tarn_facts f = {0};
	if (strcmp(p->device->api->name, "CPU") != 0)
		return "CPU";
	bool known = tarn_facts_find(m->main, &f) == TARN_OK && !f.nodes_unknown;
	int64_t macs = known ? f.macs : macs_of(m, in);
	return macs >= 0 && macs < MOST_ON_REFERENCE / TARN_CANARIES ? "REF" : p->cache_hit ? "CPU" : NULL;
}

static tarn_err compare(struct ov_core *core, const tarn_model *m, tarn_program *p, const char *with)
{
	tarn_str why = {0};
	tarn_device *reference;
	bool is_auto;
	tarn_err err = tarn_devices_find(core, with, &reference, &is_auto, &why);
	if (!err)
		err = tarn_device_open(reference);
	if (!err)
		err = tarn_canary_check(m, p, reference);
	tarn_str_fini(&why);
	return err;
}

tarn_err tarn_api_canaries(struct ov_core *core, const tarn_model *m, const tarn_props *props, tarn_program *p)
{
	tarn_str mode = {0};
	bool wanted = true;
	const char *text = tarn_props_find(props, "TARN_CANARIES");
	if (text)
		wanted = !tarn_str_to_bool(text, &wanted) || wanted;
	bool paced = tarn_device_is_simulated(p->device, &mode) && !strcmp(mode.at, "paced"); /* nothing is computed */
	tarn_str_fini(&mode);
	if (!wanted || paced)
		return TARN_OK;
	tarn_tensor *in;
	size_t n;
	if (tarn_canary_get(m, &in, &n) != TARN_OK)
		return tarn_program_note(p, "%s: results are not compared; quantize the model again", tarn_err_text());
	const char *with = n ? reference_for(m, p, in) : NULL;
	tarn_canary_free(m, in, n);
	return with ? compare(core, m, p, with) : TARN_OK;
}

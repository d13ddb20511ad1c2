/* SPDX-License-Identifier: Apache-2.0 */
#include "tarn/synth.h"

#include "api/handles.h"
#include "fmt/synth/synth.h"

const char *tarn_get_synthetic_names(void)
{
	return tarn_synth_names();
}

static tarn_err make_model(const char *name, bool int8, uint64_t seed, ov_model_t **model)
{
	tarn_model *m;
	TRY(tarn_synth_model(name, int8, seed, &m));
	return tarn_model_handle(m, model);
}

ov_status_e tarn_make_model(const char *name, bool int8, uint64_t seed, ov_model_t **model)
{
	NEED(name && model);
	return tarn_status(make_model(name, int8, seed, model));
}

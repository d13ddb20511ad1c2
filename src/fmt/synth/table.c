/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fmt/synth/build.h"
#include "ir/verify.h"
#include "ops/ops.h"

static const struct {
	const char *name;
	void (*build)(synth *s);
} models[] = {
	{"resnet-50", synth_resnet50}, {"mobilenet-v2", synth_mobilenet_v2},
	{"yolov8n", synth_yolov8n},    {"bert-base", synth_bert_base},
	{"peak", synth_peak},
};
enum { N_MODELS = sizeof models / sizeof *models };

const char *tarn_synth_names(void)
{
	return "resnet-50, mobilenet-v2, yolov8n, bert-base, peak";
}

static tarn_err finish(synth *s, const char *name)
{
	TRY(s->err);
	s->m->name = tarn_arena_strdup(&s->m->arena, name);
	s->m->producer = "tarn";
	if (!s->m->name)
		return tarn_err_nomem(strlen(name));
	TRY(tarn_graph_sort(s->g));
	TRY(tarn_graph_infer(s->g));
	return tarn_graph_verify(s->g);
}

tarn_err tarn_synth_model(const char *name, bool int8, uint64_t seed, tarn_model **m)
{
	for (int i = 0; i < N_MODELS; i++) {
		if (strcmp(name, models[i].name))
			continue;
		synth s = {.int8 = int8, .state = seed};
		TRY(tarn_model_new(&s.m));
		s.g = s.m->main;
		models[i].build(&s);
		tarn_err err = finish(&s, name);
		if (err != TARN_OK) {
			tarn_model_unref(s.m);
			return err;
		}
		*m = s.m;
		return TARN_OK;
	}
	return tarn_err_set(TARN_NOT_FOUND, "no model '%s'; there are %s", name, tarn_synth_names());
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/qat/state.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#define BETA1 0.9
#define BETA2 0.999
#define CLIP 1.0f
#define WARM_UP 0.05
#define MEAN_KEEP 0.99 /* of the running average */

bool qat_state_few_bits(const qat_net *net)
{
	for (size_t i = 0; i < net->param.len; i++)
		if (net->param.at[i].kind == QAT_WEIGHT && net->param.at[i].hi < 127)
			return true;
	return false;
}

int qat_state_epochs(const qat_net *net)
{
	return qat_state_few_bits(net) ? 10 : 5;
}

/* A weight must be able to reach the next code: with 4 bits that is some 0.4 of the weights' root mean square away, with 8 bits
 * 0.02. Without codes it is ordinary training. */
static double default_rate(const qat_net *net, bool fresh)
{
	for (size_t i = 0; i < net->param.len; i++)
		if (net->param.at[i].kind == QAT_WEIGHT)
			return qat_state_few_bits(net) ? 2e-3 : 1e-4;
	return fresh ? 2e-2 : 2e-3;
}

/* What a rate of 1 moves element k by. Scales and zero points go slowly whatever the bits: all codes change with them. Rounded
 * weights go by their own channel's scale (a largest code of three times the root mean square is usual). */
static double unit_of(const qat_net *net, const qat_param *p, size_t k, const float *theta, double usual_rate)
{
	if (p->kind == QAT_WEIGHT)
		return expf(theta[net->param.at[p->scale].at + (size_t)((int64_t)k / p->inner % p->channels)]) * p->hi / 3;
	return p->kind < QAT_WSCALE ? p->unit : p->unit * (p->kind == QAT_WSCALE ? 3e-4 : 1e-4) / usual_rate;
}

/* What a checkpoint belongs to: the parameters, and what decides the order of samples. */
static uint64_t about(const qat_net *net, const tarn_qat_options *o)
{
	uint64_t h = tarn_hash(&net->n_theta, sizeof net->n_theta, o->seed);
	for (size_t i = 0; i < net->param.len; i++) {
		const qat_param *p = &net->param.at[i];
		uint64_t row[3] = {(uint64_t)p->kind, p->n, tarn_hash_str(p->v->name)};
		h = tarn_hash(row, sizeof row, h);
	}
	uint64_t run[2] = {(uint64_t)o->data->n_sample, (uint64_t)o->batch};
	return tarn_hash(run, sizeof run, h);
}

tarn_err qat_state_init(qat_state *s, const qat_net *net, const tarn_model *teacher, const tarn_qat_options *o)
{
	float **all[] = {&s->theta, &s->mean, &s->m, &s->v, &s->best, &s->unit};
	*s = (qat_state){.n = net->n_theta};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		*all[i] = tarn_mem_zalloc(s->n, sizeof **all[i]);
		if (!*all[i])
			return tarn_err_nomem(s->n * sizeof **all[i]);
	}
	qat_net_start(net, teacher, s->theta);
	if (o->fresh)
		qat_net_forget(net, o->seed, s->theta);
	for (size_t i = 0; i < net->param.len; i++)
		for (size_t k = 0; k < net->param.at[i].n; k++)
			s->unit[net->param.at[i].at + k] =
				(float)unit_of(net, &net->param.at[i], k, s->theta, default_rate(net, o->fresh));
	memcpy(s->mean, s->theta, s->n * sizeof *s->mean);
	memcpy(s->best, s->theta, s->n * sizeof *s->best);
	s->rate = o->rate > 0 ? o->rate : default_rate(net, o->fresh);
	s->about = about(net, o);
	return TARN_OK;
}

void qat_state_fini(qat_state *s)
{
	float *all[] = {s->theta, s->mean, s->m, s->v, s->best, s->unit};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tarn_mem_free(all[i]);
	*s = (qat_state){0};
}

/* Linear warm-up, then half a cosine down to 0. */
static double rate_at(const qat_state *s, size_t total)
{
	double warm = fmax(1, WARM_UP * (double)total), at = (double)s->step;
	if (at < warm)
		return s->rate * (at + 1) / (warm + 1);
	double done = (at - warm) / fmax(1, (double)total - warm);
	return s->rate * 0.5 * (1 + cos(M_PI * fmin(done, 1)));
}

/* Weights and biases together get a gradient of at most this length; scales and zero points, of another size, by themselves. */
static void clip(const qat_net *net, float *grad)
{
	double sum[2] = {0};
	for (size_t i = 0; i < net->param.len; i++) {
		const qat_param *p = &net->param.at[i];
		for (size_t k = p->at; k < p->at + p->n; k++)
			sum[p->kind >= QAT_WSCALE] += (double)grad[k] * grad[k];
	}
	for (size_t i = 0; i < net->param.len; i++) {
		const qat_param *p = &net->param.at[i];
		double length = sqrt(sum[p->kind >= QAT_WSCALE]);
		if (length > CLIP)
			for (size_t k = p->at; k < p->at + p->n; k++)
				grad[k] *= (float)(CLIP / length);
	}
}

void qat_state_step(qat_state *s, const qat_net *net, float *grad, size_t total)
{
	double rate = rate_at(s, total), t = (double)++s->step;
	double c1 = 1 - pow(BETA1, t), c2 = 1 - pow(BETA2, t), keep = fmin(MEAN_KEEP, (1 + t) / (10 + t));
	clip(net, grad);
	for (size_t i = 0; i < s->n; i++) {
		s->m[i] = (float)(BETA1 * s->m[i] + (1 - BETA1) * grad[i]);
		s->v[i] = (float)(BETA2 * s->v[i] + (1 - BETA2) * grad[i] * grad[i]);
		s->theta[i] -= (float)(rate * s->unit[i] * (s->m[i] / c1) / (sqrt(s->v[i] / c2) + 1e-10));
	}
	qat_net_bound(net, s->theta);
	for (size_t i = 0; i < s->n; i++)
		s->mean[i] = (float)(keep * s->mean[i] + (1 - keep) * s->theta[i]);
}

void qat_state_retreat(qat_state *s)
{
	s->rate /= 2;
	memcpy(s->theta, s->best, s->n * sizeof *s->theta);
	memcpy(s->mean, s->best, s->n * sizeof *s->mean);
	memset(s->m, 0, s->n * sizeof *s->m);
	memset(s->v, 0, s->n * sizeof *s->v);
}

/* ---- the file: header, five arrays of n floats, a hash of all that ---- */

static const char magic[8] = "tarnqat2";

typedef struct header {
	char magic[8];
	uint64_t about, n;
	int64_t step, epoch;
	double rate, best_loss, best_rank;
	uint64_t best_right, best_n;
} header;
enum { ARRAYS = 5 };

tarn_err qat_state_save(const qat_state *s, const char *path)
{
	header h = {.about = s->about,
		    .n = s->n,
		    .step = s->step,
		    .epoch = s->epoch,
		    .rate = s->rate,
		    .best_loss = s->best_score.loss,
		    .best_rank = s->best_rank,
		    .best_right = s->best_score.right,
		    .best_n = s->best_score.n};
	memcpy(h.magic, magic, sizeof magic);
	const float *array[ARRAYS] = {s->theta, s->mean, s->m, s->v, s->best};
	tarn_file_piece piece[ARRAYS + 2] = {{&h, sizeof h}};
	uint64_t hash = tarn_hash(&h, sizeof h, 0);
	for (int i = 0; i < ARRAYS; i++) {
		piece[1 + i] = (tarn_file_piece){array[i], s->n * sizeof(float)};
		hash = tarn_hash(array[i], s->n * sizeof(float), hash);
	}
	piece[ARRAYS + 1] = (tarn_file_piece){&hash, sizeof hash};
	return tarn_file_write_pieces(path, piece, ARRAYS + 2);
}

tarn_err qat_state_read(qat_state *s, const uint8_t *at, size_t size, const char *path)
{
	header h;
	uint64_t hash, want;
	size_t bytes = s->n * sizeof(float);
	CHECK(size == sizeof h + ARRAYS * bytes + sizeof hash && !memcmp(at, magic, sizeof magic), TARN_BAD_FILE,
	      "%s is no checkpoint of this training; remove it or name another", path);
	memcpy(&h, at, sizeof h);
	memcpy(&want, at + size - sizeof want, sizeof want);
	CHECK(h.about == s->about && h.n == s->n, TARN_BAD_FILE,
	      "%s is the checkpoint of another model, seed, batch or data set; remove it or name another", path);
	hash = tarn_hash(&h, sizeof h, 0);
	for (int i = 0; i < ARRAYS; i++)
		hash = tarn_hash(at + sizeof h + (size_t)i * bytes, bytes, hash);
	CHECK(hash == want, TARN_BAD_FILE, "%s is damaged (its checksum differs); remove it", path);
	CHECK(h.step >= 0 && h.step < INT32_MAX && h.epoch >= 0 && h.epoch < INT32_MAX && h.rate > 0 && isfinite(h.rate) &&
		      !isnan(h.best_rank) && h.best_right <= h.best_n,
	      TARN_BAD_FILE, "%s says things that cannot be; remove it", path);
	float *array[ARRAYS] = {s->theta, s->mean, s->m, s->v, s->best};
	for (int i = 0; i < ARRAYS; i++)
		memcpy(array[i], at + sizeof h + (size_t)i * bytes, bytes);
	s->step = s->resumed_step = h.step;
	s->epoch = (int)h.epoch;
	s->rate = h.rate;
	s->best_rank = h.best_rank;
	s->best_score = (tarn_qat_score){h.best_loss, (size_t)h.best_right, (size_t)h.best_n};
	return TARN_OK;
}

tarn_err qat_state_load(qat_state *s, const char *path, bool *found)
{
	tarn_file_map map;
	*found = tarn_file_exists(path);
	if (!*found)
		return TARN_OK;
	TRY(tarn_file_map_open(path, &map));
	tarn_err err = qat_state_read(s, map.at, map.size, path);
	tarn_file_map_close(&map);
	return err;
}

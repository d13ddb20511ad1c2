/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/share.h"

#include <string.h>

#include "base/f16.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kern/isa.h"

enum { CHAINS = 1024 };

typedef struct shared {
	struct shared *by_key, *by_object; /* next in the chain */
	tarn_hash128 key;
	void *object;
	void (*release)(void *object);
	int holders;
} shared;

static struct {
	tarn_mutex lock;
	shared *by_key[CHAINS], *by_object[CHAINS];
} table = {.lock = TARN_MUTEX_INIT};

static size_t key_chain(tarn_hash128 key)
{
	return key.lo % CHAINS;
}

static size_t object_chain(const void *object)
{
	return ((uintptr_t)object / TARN_ALIGN) % CHAINS;
}

/* Called with the lock held. */
static void *find_locked(tarn_hash128 key)
{
	for (shared *s = table.by_key[key_chain(key)]; s; s = s->by_key)
		if (s->key.lo == key.lo && s->key.hi == key.hi) {
			s->holders++;
			return s->object;
		}
	return NULL;
}

static void *find(tarn_hash128 key)
{
	tarn_mutex_lock(&table.lock);
	void *object = find_locked(key);
	tarn_mutex_unlock(&table.lock);
	return object;
}

/* Adds a fresh object; when another thread was faster the fresh one goes and *object becomes that. */
static tarn_err add(tarn_hash128 key, void (*release)(void *), void **object)
{
	shared *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s) {
		release(*object);
		return tarn_err_nomem(sizeof *s);
	}
	*s = (shared){.key = key, .object = *object, .release = release, .holders = 1};
	tarn_mutex_lock(&table.lock);
	void *other = find_locked(key);
	if (!other) {
		s->by_key = table.by_key[key_chain(key)];
		table.by_key[key_chain(key)] = s;
		s->by_object = table.by_object[object_chain(s->object)];
		table.by_object[object_chain(s->object)] = s;
	}
	tarn_mutex_unlock(&table.lock);
	if (other) {
		release(*object);
		tarn_mem_free(s);
		*object = other;
	}
	return TARN_OK;
}

static void unlink_locked(shared *s)
{
	shared **at = &table.by_key[key_chain(s->key)];
	while (*at != s)
		at = &(*at)->by_key;
	*at = s->by_key;
	at = &table.by_object[object_chain(s->object)];
	while (*at != s)
		at = &(*at)->by_object;
	*at = s->by_object;
}

void tarn_share_drop(void *packed)
{
	if (!packed)
		return;
	tarn_mutex_lock(&table.lock);
	shared *s = table.by_object[object_chain(packed)];
	while (s && s->object != packed)
		s = s->by_object;
	bool last = s && !--s->holders;
	if (last)
		unlink_locked(s);
	tarn_mutex_unlock(&table.lock);
	if (last) {
		s->release(s->object);
		tarn_mem_free(s);
	}
}

void tarn_share_count(int *objects, int *holders)
{
	*objects = *holders = 0;
	tarn_mutex_lock(&table.lock);
	for (int i = 0; i < CHAINS; i++)
		for (const shared *s = table.by_key[i]; s; s = s->by_key) {
			++*objects;
			*holders += s->holders;
		}
	tarn_mutex_unlock(&table.lock);
}

/* ---- keys: what the object depends on ---- */

typedef struct part {
	const void *at; /* NULL: absent, which counts, too */
	size_t bytes;
} part;

static tarn_err key_of(const char *kind, const part *list, int n, tarn_hash128 *key)
{
	tarn_hasher *h = tarn_hasher_new();
	if (!h)
		return tarn_err_nomem(sizeof *key);
	int isa = tarn_isa_get();
	tarn_hasher_add(h, &isa, sizeof isa);
	tarn_hasher_add(h, kind, strlen(kind) + 1);
	for (int i = 0; i < n; i++) {
		size_t bytes = list[i].at ? list[i].bytes : SIZE_MAX;
		tarn_hasher_add(h, &bytes, sizeof bytes);
		tarn_hasher_add(h, list[i].at, list[i].at ? list[i].bytes : 0);
	}
	*key = tarn_hasher_free(h);
	return TARN_OK;
}

/* Weights of a convolution whose kernels see `in` channels each; 0 when the numbers make no sense (packing says so). */
static size_t count_weights(const tarn_conv_spec *s, int in, int out)
{
	if (s->groups < 1 || in < 1 || out < 1 || s->kh < 1 || s->kw < 1)
		return 0;
	return (size_t)in * (size_t)out * (size_t)s->kh * (size_t)s->kw;
}

/* ---- one of each kind ---- */

/* Hands out the object of that key at *out. There is none: `pack` makes it. */
#define SHARE(key, pack, release, out) \
	do { \
		void *object_ = find(key); \
		if (!object_) { \
			TRY(pack); \
			object_ = *(out); \
			*(out) = NULL; \
			TRY(add(key, release, &object_)); \
		} \
		*(out) = object_; \
		return TARN_OK; \
	} while (0)

static void release_gemm(void *p)
{
	tarn_gemm_f32_free(p);
}

tarn_err tarn_share_gemm(size_t k, size_t n, const float *b, size_t ldb, bool transposed, const float *bias,
			 tarn_gemm_f32 **gemm)
{
	const size_t size[] = {k, n, ldb, transposed}, rows = transposed ? n : k, columns = transposed ? k : n;
	const part list[] = {{size, sizeof size},
			     {b, rows && columns ? ((rows - 1) * ldb + columns) * sizeof *b : 0},
			     {bias, n * sizeof *bias}};
	tarn_hash128 key;
	TRY(key_of("gemm", list, 3, &key));
	SHARE(key, tarn_gemm_f32_pack(k, n, b, ldb, transposed, bias, gemm), release_gemm, gemm);
}

static void release_wgemm(void *p)
{
	tarn_wgemm_free(p);
}

tarn_err tarn_share_wgemm(const tarn_wgemm_weights *w, tarn_wgemm **gemm)
{
	const size_t size[] = {w->k, w->n, (size_t)w->bits, w->transposed, w->group};
	size_t groups = w->group ? (w->k + w->group - 1) / w->group : 0;
	const part list[] = {{size, sizeof size},
			     {w->code, w->k * w->n},
			     {w->scale, groups * w->n * sizeof *w->scale},
			     {w->zero, groups * w->n * sizeof *w->zero},
			     {w->bias, w->n * sizeof *w->bias}};
	tarn_hash128 key;
	TRY(key_of("wgemm", list, 5, &key));
	SHARE(key, tarn_wgemm_pack(w, gemm), release_wgemm, gemm);
}

/* Of kernels that take a convolution's weights in ONNX's order. */
static tarn_err conv_key(const char *kind, const tarn_conv_spec *spec, const float *weights, const float *bias,
			 tarn_hash128 *key)
{
	size_t count = count_weights(spec, spec->groups > 0 ? spec->ic / spec->groups : 0, spec->oc);
	const part list[] = {{spec, sizeof *spec}, {weights, count * sizeof *weights}, {bias, (size_t)spec->oc * sizeof *bias}};
	return key_of(kind, list, 3, key);
}

static void release_conv(void *p)
{
	tarn_conv_f32_free(p);
}

tarn_err tarn_share_conv(const tarn_conv_spec *spec, const float *weights, const float *bias, tarn_conv_f32 **conv)
{
	tarn_hash128 key;
	TRY(conv_key("conv", spec, weights, bias, &key));
	SHARE(key, tarn_conv_f32_pack(spec, weights, bias, conv), release_conv, conv);
}

static void release_depthwise(void *p)
{
	tarn_depthwise_f32_free(p);
}

tarn_err tarn_share_depthwise(const tarn_depthwise_spec *spec, const float *weights, const float *bias, tarn_depthwise_f32 **dw)
{
	const tarn_conv_spec s = {.groups = 1, .kh = spec->kh, .kw = spec->kw};
	size_t out = (size_t)spec->channels * (size_t)spec->multiplier;
	size_t count = count_weights(&s, spec->channels, spec->multiplier);
	const part list[] = {{spec, sizeof *spec}, {weights, count * sizeof *weights}, {bias, out * sizeof *bias}};
	tarn_hash128 key;
	TRY(key_of("depthwise", list, 3, &key));
	SHARE(key, tarn_depthwise_f32_pack(spec, weights, bias, dw), release_depthwise, dw);
}

static void release_winograd(void *p)
{
	tarn_winograd_f32_free(p);
}

tarn_err tarn_share_winograd(const tarn_conv_spec *spec, const float *weights, const float *bias, tarn_winograd_f32 **conv)
{
	tarn_hash128 key;
	TRY(conv_key("winograd", spec, weights, bias, &key));
	SHARE(key, tarn_winograd_f32_pack(spec, weights, bias, conv), release_winograd, conv);
}

static void release_conv_transpose(void *p)
{
	tarn_conv_transpose_f32_free(p);
}

tarn_err tarn_share_conv_transpose(const tarn_conv_spec *spec, const float *weights, const float *bias,
				   tarn_conv_transpose_f32 **conv)
{
	size_t count = count_weights(spec, spec->ic, spec->groups > 0 ? spec->oc / spec->groups : 0);
	const part list[] = {{spec, sizeof *spec}, {weights, count * sizeof *weights}, {bias, (size_t)spec->oc * sizeof *bias}};
	tarn_hash128 key;
	TRY(key_of("conv transpose", list, 3, &key));
	SHARE(key, tarn_conv_transpose_f32_pack(spec, weights, bias, conv), release_conv_transpose, conv);
}

static void release_qconv(void *p)
{
	tarn_qconv_free(p);
}

tarn_err tarn_share_qconv(const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
			  tarn_qconv_input input, tarn_qconv **conv)
{
	const int kind[] = {(int)w_type, (int)input.type, input.zero};
	size_t count = count_weights(spec, spec->groups > 0 ? spec->ic / spec->groups : 0, spec->oc);
	const part list[] = {
		{spec, sizeof *spec}, {kind, sizeof kind}, {w, count}, {w_zero, (size_t)spec->oc * sizeof *w_zero}};
	tarn_hash128 key;
	TRY(key_of("qconv", list, 4, &key));
	SHARE(key, tarn_qconv_pack(spec, w, w_type, w_zero, input, conv), release_qconv, conv);
}

static tarn_err expand(const char *half, size_t count, float **out)
{
	float *f = tarn_mem_alloc_aligned(count * sizeof *f + 2 * TARN_ALIGN); /* kernels may read a little beyond */
	if (!f)
		return tarn_err_nomem(count * sizeof *f);
	for (size_t i = 0; i < count; i++) {
		uint16_t h;
		memcpy(&h, half + 2 * i, 2);
		f[i] = tarn_f16_to_f32(h);
	}
	memset(f + count, 0, 2 * TARN_ALIGN);
	*out = f;
	return TARN_OK;
}

tarn_err tarn_share_floats(const void *half, size_t count, float **floats)
{
	const part list[] = {{half, count * 2}};
	tarn_hash128 key;
	CHECK(count < SIZE_MAX / 8, TARN_SHAPE, "%zu numbers are too many", count);
	TRY(key_of("floats", list, 1, &key));
	SHARE(key, expand(half, count, floats), tarn_mem_free_aligned, floats);
}

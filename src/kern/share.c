/* SPDX-License-Identifier: Apache-2.0 */
#include "kern/share.h"

#include <string.h>

#include "base/f16.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kern/isa.h"

enum { CHAINS = 1024 };

/* What can be shared. */
typedef struct kind {
	const char *name;
	void (*release)(void *object);
	void (*save)(const void *object, tarn_str *out);
} kind;

typedef struct shared {
	struct shared *by_key, *by_object; /* next in the chain */
	tarn_hash128 key;
	void *object;
	const kind *kind;
	bool keyed; /* found by its key; else its bytes are a store's, and it belongs to who opened it */
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

/* Adds a fresh object, under a key unless that is NULL; when another thread was faster the fresh one goes and *object becomes
 * that. */
static tarn_err add(const tarn_hash128 *key, const kind *k, void **object)
{
	shared *s = tarn_mem_zalloc(1, sizeof *s);
	if (!s) {
		k->release(*object);
		return tarn_err_nomem(sizeof *s);
	}
	*s = (shared){.object = *object, .kind = k, .keyed = key, .holders = 1};
	tarn_mutex_lock(&table.lock);
	void *other = key ? find_locked(*key) : NULL;
	if (!other) {
		if (key) {
			s->key = *key;
			s->by_key = table.by_key[key_chain(*key)];
			table.by_key[key_chain(*key)] = s;
		}
		s->by_object = table.by_object[object_chain(s->object)];
		table.by_object[object_chain(s->object)] = s;
	}
	tarn_mutex_unlock(&table.lock);
	if (other) {
		k->release(*object);
		tarn_mem_free(s);
		*object = other;
	}
	return TARN_OK;
}

static void unlink_locked(shared *s)
{
	shared **at = &table.by_key[key_chain(s->key)];
	while (s->keyed && *at != s)
		at = &(*at)->by_key;
	if (s->keyed)
		*at = s->by_key;
	at = &table.by_object[object_chain(s->object)];
	while (*at != s)
		at = &(*at)->by_object;
	*at = s->by_object;
}

static shared *find_object_locked(const void *object)
{
	shared *s = table.by_object[object_chain(object)];
	while (s && s->object != object)
		s = s->by_object;
	return s;
}

void tarn_share_drop(void *packed)
{
	if (!packed)
		return;
	tarn_mutex_lock(&table.lock);
	shared *s = find_object_locked(packed);
	bool last = s && !--s->holders;
	if (last)
		unlink_locked(s);
	tarn_mutex_unlock(&table.lock);
	if (last) {
		s->kind->release(s->object);
		tarn_mem_free(s);
	}
}

void tarn_share_count(int *objects, int *holders)
{
	*objects = *holders = 0;
	tarn_mutex_lock(&table.lock);
	for (int i = 0; i < CHAINS; i++)
		for (const shared *s = table.by_object[i]; s; s = s->by_object) {
			++*objects;
			*holders += s->holders;
		}
	tarn_mutex_unlock(&table.lock);
}

/* ---- all that one program packed ---- */

/* The program holds the object once more. */
static tarn_err note(tarn_packs *p, void *object)
{
	if (!p)
		return TARN_OK;
	tarn_err err = VEC_GROW(&p->object);
	if (err != TARN_OK) {
		tarn_share_drop(object);
		return err;
	}
	tarn_mutex_lock(&table.lock);
	find_object_locked(object)->holders++;
	tarn_mutex_unlock(&table.lock);
	p->object.at[p->object.len++] = object;
	return TARN_OK;
}

void tarn_packs_fini(tarn_packs *p)
{
	for (size_t i = 0; i < p->object.len; i++)
		tarn_share_drop(p->object.at[i]);
	VEC_FINI(&p->object);
}

void tarn_packs_save(const tarn_packs *p, tarn_str *out)
{
	for (size_t i = 0; i < p->object.len; i++) {
		tarn_mutex_lock(&table.lock);
		const kind *k = find_object_locked(p->object.at[i])->kind;
		tarn_mutex_unlock(&table.lock);
		k->save(p->object.at[i], out);
	}
}

/* ---- keys: what the object depends on ---- */

typedef struct part {
	const void *at; /* NULL: absent, which counts, too */
	size_t bytes;
} part;

static tarn_err key_of(const char *name, const part *list, size_t n, tarn_hash128 *key)
{
	tarn_hasher *h = tarn_hasher_new_keyed();
	if (!h)
		return tarn_err_nomem(sizeof *key);
	int isa = tarn_isa_get();
	tarn_hasher_add(h, &isa, sizeof isa);
	tarn_hasher_add(h, name, strlen(name) + 1);
	for (size_t i = 0; i < n; i++) {
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

#define KIND(word, type) \
	static void release_##word(void *p) \
	{ \
		type##_free(p); \
	} \
	static void save_##word(const void *p, tarn_str *out) \
	{ \
		type##_save(p, out); \
	} \
	static const kind kind_##word = {#word, release_##word, save_##word};
KIND(gemm, tarn_gemm_f32)
KIND(wgemm, tarn_wgemm)
KIND(conv, tarn_conv_f32)
KIND(depthwise, tarn_depthwise_f32)
KIND(winograd, tarn_winograd_f32)
KIND(conv_transpose, tarn_conv_transpose_f32)
KIND(qconv, tarn_qconv)
#undef KIND

/* Hands out at *out, and notes, the object of that key. There is none: `pack` makes it. With a store: what `open` finds there.
 */
#define SHARE(packs, kind, parts, open, pack, out) \
	do { \
		void *object_ = NULL; \
		tarn_hash128 key_ = {0}; \
		bool stored_ = (packs) && (packs)->from; \
		if (!stored_) { \
			TRY(key_of((kind)->name, parts, sizeof(parts) / sizeof *(parts), &key_)); \
			object_ = find(key_); \
		} \
		if (!object_) { \
			TRY(stored_ ? (open) : (pack)); \
			object_ = *(out); \
			*(out) = NULL; \
			TRY(add(stored_ ? NULL : &key_, kind, &object_)); \
		} \
		TRY(note(packs, object_)); \
		*(out) = object_; \
		return TARN_OK; \
	} while (0)

tarn_err tarn_share_gemm(tarn_packs *packs, size_t k, size_t n, const float *b, size_t ldb, bool transposed, const float *bias,
			 tarn_gemm_f32 **gemm)
{
	const size_t size[] = {k, n, ldb, transposed}, rows = transposed ? n : k, columns = transposed ? k : n;
	const part list[] = {{size, sizeof size},
			     {b, rows && columns ? ((rows - 1) * ldb + columns) * sizeof *b : 0},
			     {bias, n * sizeof *bias}};
	SHARE(packs, &kind_gemm, list, tarn_gemm_f32_open(k, n, packs->from, gemm),
	      tarn_gemm_f32_pack(k, n, b, ldb, transposed, bias, gemm), gemm);
}

tarn_err tarn_share_wgemm(tarn_packs *packs, const tarn_wgemm_weights *w, tarn_wgemm **gemm)
{
	const size_t size[] = {w->k, w->n, (size_t)w->bits, w->transposed, w->group};
	size_t groups = w->group ? (w->k + w->group - 1) / w->group : 0;
	const part list[] = {{size, sizeof size},
			     {w->code, w->k * w->n},
			     {w->scale, groups * w->n * sizeof *w->scale},
			     {w->zero, groups * w->n * sizeof *w->zero},
			     {w->bias, w->n * sizeof *w->bias}};
	SHARE(packs, &kind_wgemm, list, tarn_wgemm_open(w, packs->from, gemm), tarn_wgemm_pack(w, gemm), gemm);
}

/* Of kernels that take a convolution's weights in ONNX's order. */
#define CONV_PARTS(spec, in, out) \
	{ \
		{spec, sizeof *(spec)}, {weights, count_weights(spec, in, out) * sizeof *weights}, \
		{ \
			bias, (size_t)(spec)->oc * sizeof *bias \
		} \
	}

static int per_group(const tarn_conv_spec *s, int channels)
{
	return s->groups > 0 ? channels / s->groups : 0;
}

tarn_err tarn_share_conv(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights, const float *bias,
			 tarn_conv_f32 **conv)
{
	const part list[] = CONV_PARTS(spec, per_group(spec, spec->ic), spec->oc);
	SHARE(packs, &kind_conv, list, tarn_conv_f32_open(spec, packs->from, conv),
	      tarn_conv_f32_pack(spec, weights, bias, conv), conv);
}

tarn_err tarn_share_winograd(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights, const float *bias,
			     tarn_winograd_f32 **conv)
{
	const part list[] = CONV_PARTS(spec, per_group(spec, spec->ic), spec->oc);
	SHARE(packs, &kind_winograd, list, tarn_winograd_f32_open(spec, packs->from, conv),
	      tarn_winograd_f32_pack(spec, weights, bias, conv), conv);
}

tarn_err tarn_share_conv_transpose(tarn_packs *packs, const tarn_conv_spec *spec, const float *weights, const float *bias,
				   tarn_conv_transpose_f32 **conv)
{
	const part list[] = CONV_PARTS(spec, spec->ic, per_group(spec, spec->oc));
	SHARE(packs, &kind_conv_transpose, list, tarn_conv_transpose_f32_open(spec, packs->from, conv),
	      tarn_conv_transpose_f32_pack(spec, weights, bias, conv), conv);
}

tarn_err tarn_share_depthwise(tarn_packs *packs, const tarn_depthwise_spec *spec, const float *weights, const float *bias,
			      tarn_depthwise_f32 **dw)
{
	const tarn_conv_spec s = {.groups = 1, .kh = spec->kh, .kw = spec->kw};
	size_t out = (size_t)spec->channels * (size_t)spec->multiplier;
	size_t count = count_weights(&s, spec->channels, spec->multiplier * (spec->width > 1 ? spec->width : 1));
	const part list[] = {{spec, sizeof *spec}, {weights, count * sizeof *weights}, {bias, out * sizeof *bias}};
	SHARE(packs, &kind_depthwise, list, tarn_depthwise_f32_open(spec, packs->from, dw),
	      tarn_depthwise_f32_pack(spec, weights, bias, dw), dw);
}

tarn_err tarn_share_qconv(tarn_packs *packs, const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
			  tarn_qconv_input input, tarn_qconv **conv)
{
	const int form[] = {(int)w_type, (int)input.type, input.zero};
	size_t count = count_weights(spec, per_group(spec, spec->ic), spec->oc);
	const part list[] = {
		{spec, sizeof *spec}, {form, sizeof form}, {w, count}, {w_zero, (size_t)spec->oc * sizeof *w_zero}};
	SHARE(packs, &kind_qconv, list, tarn_qconv_open(spec, input, packs->from, conv),
	      tarn_qconv_pack(spec, w, w_type, w_zero, input, conv), conv);
}

static tarn_err expand(const char *half, size_t count, const tarn_scales *scales, float **out)
{
	float *f = tarn_mem_alloc_aligned(count * sizeof *f + 2 * TARN_ALIGN); /* kernels may read a little beyond */
	if (!f)
		return tarn_err_nomem(count * sizeof *f);
	for (size_t i = 0; i < count; i++) {
		uint16_t h;
		memcpy(&h, half + 2 * i, 2);
		f[i] = tarn_f16_to_f32(h);
	}
	for (size_t i = 0; scales && i < count; i++) {
		float s;
		memcpy(&s, (const char *)scales->at + i / scales->each % scales->n * sizeof s, sizeof s);
		f[i] *= s;
	}
	memset(f + count, 0, 2 * TARN_ALIGN);
	*out = f;
	return TARN_OK;
}

tarn_err tarn_share_floats(const void *half, size_t count, const tarn_scales *scales, float **floats)
{
	static const kind kind_floats = {"floats", tarn_mem_free_aligned, NULL};
	const size_t lay[] = {scales ? scales->n : 0, scales ? scales->each : 0};
	const part list[] = {{half, count * 2}, {lay, sizeof lay}, {scales ? scales->at : NULL, lay[0] * sizeof(float)}};
	tarn_packs *nobody = NULL;
	CHECK(count < SIZE_MAX / 8, TARN_SHAPE, "%zu numbers are too many", count);
	SHARE(nobody, &kind_floats, list, TARN_INTERNAL, expand(half, count, scales, floats), floats);
}

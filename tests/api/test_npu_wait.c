/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of inferences on the NPU, seen by whoever looks: threads that wait, callbacks, polls, and starts without a wait. */
#define _POSIX_C_SOURCE 199309L /* nanosleep */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "api.h"
#include "tarn/sim.h"

enum { N = 64, REQUESTS = 6, ROUNDS = 40 };

typedef struct user {
	ov_infer_request_t *r;
	float *x, *y;
	int first;
	atomic_int called;
} user;
static user all[REQUESTS];

static float *memory_of(ov_tensor_t *t)
{
	void *at;
	EXPECT_OK(ov_tensor_data(t, &at));
	ov_tensor_free(t);
	return at;
}

static void open_user(const ov_compiled_model_t *cm, user *u)
{
	ov_tensor_t *t;
	EXPECT_OK(ov_compiled_model_create_infer_request(cm, &u->r));
	EXPECT_OK(ov_infer_request_get_input_tensor(u->r, &t));
	u->x = memory_of(t);
	EXPECT_OK(ov_infer_request_get_output_tensor(u->r, &t));
	u->y = memory_of(t);
}

static void fill(user *u, int first)
{
	u->first = first;
	for (int i = 0; i < N; i++)
		u->x[i] = (float)(first + i);
}

static void expect(const user *u)
{
	for (int i = 0; i < N; i++)
		EXPECT(u->y[i] == (float)(2 * (u->first + i) + 1));
}

static void count_call(void *arg)
{
	user *u = arg;
	expect(u);
	atomic_fetch_add(&u->called, 1);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* Starts and waits, each in another way: without limit, with one, by asking again and again. */
static void *use(void *arg)
{
	user *u = arg;
	int way = (int)(u - all) % 3;
	for (int i = 0; i < ROUNDS; i++) {
		fill(u, i * 7 + (int)(u - all));
		EXPECT_OK(ov_infer_request_start_async(u->r));
		ov_status_e status;
		while ((status = way == 0 ? ov_infer_request_wait(u->r) : ov_infer_request_wait_for(u->r, way - 1)) ==
		       RESULT_NOT_READY)
			nap();
		EXPECT_OK(status);
		expect(u);
	}
	return NULL;
}

/* Every other one with a callback: those before and behind it in the queue end all the same. */
static void side_by_side(void)
{
	pthread_t thread[REQUESTS];
	for (int i = 0; i < REQUESTS; i += 2)
		EXPECT_OK(ov_infer_request_set_callback(all[i].r, &(ov_callback_t){count_call, &all[i]}));
	for (int i = 0; i < REQUESTS; i++)
		EXPECT(!pthread_create(&thread[i], NULL, use, &all[i]));
	for (int i = 0; i < REQUESTS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < REQUESTS; i++)
		EXPECT(all[i].called == (i % 2 ? 0 : ROUNDS));
}

/* Nobody waits: a request is idle again once it is over, for who reads its result and who starts it anew. */
static void nobody_waits(void)
{
	user *u = &all[1];
	ov_tensor_t *t;
	fill(u, 3);
	EXPECT_OK(ov_infer_request_start_async(u->r));
	while (ov_infer_request_get_output_tensor(u->r, &t) != OK)
		nap();
	ov_tensor_free(t);
	expect(u);
	for (int i = 0; i < ROUNDS; i++) {
		while (ov_infer_request_start_async(u->r) != OK)
			nap();
	}
	EXPECT_OK(ov_infer_request_wait(u->r));
	expect(u);
}

/* Freed while in flight, with and without a callback. */
static void freed_early(void)
{
	for (int i = 0; i < REQUESTS; i++)
		EXPECT_OK(ov_infer_request_start_async(all[i].r));
	for (int i = REQUESTS - 1; i >= 0; i--)
		ov_infer_request_free(all[i].r);
}

int main(void)
{
	ov_core_t *core;
	ov_compiled_model_t *cm;
	EXPECT_OK(ov_core_create(&core));
	EXPECT_OK(tarn_use_simulated_npu("4000"));
	ov_model_t *m = read_affine(core, 2, (int[]){1, N});
	EXPECT_OK(ov_core_compile_model(core, m, "NPU", 0, &cm));
	for (int i = 0; i < REQUESTS; i++)
		open_user(cm, &all[i]);
	side_by_side();
	nobody_waits();
	freed_early();
	ov_compiled_model_free(cm);
	ov_model_free(m);
	ov_core_free(core);
	return 0;
}

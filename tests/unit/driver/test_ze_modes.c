/* SPDX-License-Identifier: Apache-2.0 */
/* Exact and paced mode, each in processes of their own: the mode is the process's. */
#include <sys/wait.h>
#include <time.h>

#include "unit/driver/ze_model.h"

enum { N_STAMPS = 24 };
typedef struct report {
	uint64_t stamp[N_STAMPS];
	uint64_t wall_ns, busy_us, modelled_us;
	uint32_t mode, platform;
	float out;
	int filled; /* bytes of the output that are 0xA5 */
} report;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Runs three graphs of a modelled millisecond and one of 10 us, with timestamps between. */
static void work(report *r)
{
	ze_graph_handle_t slow, fast;
	assert_ze(create("slow n=16", 1, NULL, 0, &slow), OK);
	assert_ze(create("n=16", 1, NULL, 0, &fast), OK);
	float *x = alloc(64), *y = alloc(64);
	uint64_t *t = alloc(4096);
	ze_graph_handle_t graphs[] = {slow, fast};
	for (int i = 0; i < 2; i++) {
		assert_ze(gra->pfnSetArgumentValue(graphs[i], 0, x), OK);
		assert_ze(gra->pfnSetArgumentValue(graphs[i], 1, y), OK);
	}
	ze_command_queue_handle_t q = new_queue(NULL, 0);
	ze_command_list_handle_t l = new_list(NULL);
	for (int i = 0; i < 4; i++) {
		assert_ze(lst.v14.pfnAppendWriteGlobalTimestamp(l, t + i, NULL, 0, NULL), OK);
		assert_ze(gra->pfnAppendGraphExecute(l, i == 3 ? fast : slow, NULL, NULL, 0, NULL), OK);
	}
	uint64_t start_ns = now();
	for (int i = 0; i < N_STAMPS / 4; i++) {
		run(q, l);
		memcpy(r->stamp + i * 4, t, 4 * sizeof *t);
	}
	r->wall_ns = now() - start_ns;
	r->busy_us = state_of_device().busy_us;
	r->mode = state_of_device().mode;
	r->platform = state_of_device().platform;
	r->modelled_us = (3 * 1000000 + 10016) * (N_STAMPS / 4) / 1000;
	r->out = y[0];
	for (int i = 0; i < 64; i++)
		r->filled += ((uint8_t *)y)[i] == 0xA5;
}

static void in_child(const char *mode, const char *platform, report *r)
{
	int fd[2];
	assert_int_equal(pipe(fd), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		report mine = {0};
		setenv("TARN_NPU_MODE", mode, 1);
		setenv("TARN_NPU_PLATFORM", platform, 1);
		setenv("TARN_NPU_THREADS", "1", 1);
		tables(TARN_ZE_TEST_LIB);
		start();
		work(&mine);
		stop();
		_exit(write(fd[1], &mine, sizeof mine) == sizeof mine ? 0 : 9);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], r, sizeof *r), sizeof *r);
	close(fd[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void exact_is_deterministic(void **state)
{
	(void)state;
	report a, b;
	in_child("exact", "4000", &a);
	in_child("exact", "4000", &b);
	assert_memory_equal(a.stamp, b.stamp, sizeof a.stamp);
	assert_int_equal(a.busy_us, a.modelled_us);
	assert_int_equal(a.mode, ZE_TARN_MODE_EXACT);
	assert_int_equal(a.platform, 4000);
	assert_true(a.out == 1);
	/* A millisecond in ticks of 19.2 MHz; of 38.4 MHz on the other platform. */
	uint64_t d = a.stamp[1] - a.stamp[0];
	assert_true(d >= 19200 && d <= 19202);
	in_child("exact", "3720", &b);
	d = b.stamp[1] - b.stamp[0];
	assert_true(d >= 38400 && d <= 38402);
	assert_int_equal(b.platform, 3720);
}

static void paced_takes_the_modelled_time(void **state)
{
	(void)state;
	report r;
	in_child("paced", "4000", &r);
	assert_int_equal(r.mode, ZE_TARN_MODE_PACED);
	assert_int_equal(r.filled, 64);
	assert_int_equal(r.busy_us, r.modelled_us);
	assert_true(r.wall_ns >= r.modelled_us * 1000);
	for (int i = 1; i < N_STAMPS; i++)
		assert_true(r.stamp[i] > r.stamp[i - 1]);
	uint64_t d = r.stamp[1] - r.stamp[0]; /* within a list the device does not wait for the host */
	assert_true(d >= 19200 && d <= 19202);
}

static void wrong_settings_do_not_start(void **state)
{
	(void)state;
	static const char *const row[][2] = {{"TARN_NPU_MODE", "fast"},
					     {"TARN_NPU_PLATFORM", "5010"},
					     {"TARN_NPU_THREADS", "-1"},
					     {"TARN_NPU_CLOCK", "5"},
					     {"TARN_NPU_IDENTITY", "real"}};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		pid_t child = fork();
		if (!child) {
			setenv(row[i][0], row[i][1], 1);
			setenv("ZE_INTEL_NPU_CACHE_DIR", "", 1);
			if (!freopen("/dev/null", "w", stderr))
				_exit(8);
			tables(TARN_ZE_TEST_LIB);
			_exit(global.pfnInit(0) == ZE_RESULT_ERROR_UNINITIALIZED ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_is_deterministic),
		cmocka_unit_test(paced_takes_the_modelled_time),
		cmocka_unit_test(wrong_settings_do_not_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: a cause, or none, planted with random strength on both NPUs and on the CPU. The verdict must name it; a healthy
 * pipeline is never accused; the advised change, applied, must gain what was promised. Networks are compiled by the simulated
 * driver's compiler, the host runs on a virtual clock. TARN_SCENARIOS=N runs another number, TARN_SCENARIO=K shows one.
 */
#include "unit/driver/diag_nets.h"

#include "diag/verdict.h"
#include "unit/diag/host_sim.h"

enum { INFERENCES = 250, SEEDS = 200, BATCH = 4 };

typedef struct scenario {
	const char *cause, *detail; /* planted; detail NULL: any */
	int platform;               /* 0: the CPU */
	net net;
	int tiles;   /* 0: all */
	double slow; /* the clock of its multipliers: times the time they should take */
	bool efficient, rate_limited;
	double scaled; /* of preparing, with JPEGs decoded smaller; 0: they are not JPEGs */
	bool live;     /* inputs are prepared in the loop */
	int optimal;
	int threads; /* of the CPU device; 0: all */
	host_sim sim;
	tarn_account account;
} scenario;

static uint64_t state;

static double uniform(double lo, double hi)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return lo + (hi - lo) * (double)(state >> 11) * 0x1p-53;
}

static int pick(int lo, int hi)
{
	return lo + (int)uniform(0, hi - lo + 0.999);
}

/* ---- networks, by what they are short of ---- */

/* Many channels on few pixels: every weight is used once or twice. */
static net weights_net(bool int8)
{
	return (net){NET_CONV, pick(24, 40), 64 * pick(14, 18), pick(1, 3), 1, int8};
}

/* One row times matrices that do not fit on the chip beside each other. */
static net row_net(bool int8)
{
	return (net){NET_CONV, pick(4, 8), 256 * pick(8, 14), 1, 1, int8};
}

/* Few channels on more pixels than the chip holds. */
static net activations_net(int platform)
{
	return (net){NET_CONV, pick(3, 6), 16 * pick(2, 3), platform == 3720 ? 32 * pick(9, 12) : 32 * pick(16, 20), 1, false};
}

/* 3 x 3 on maps that stay on the chip. */
static net compute_net(int platform, bool int8)
{
	int h = platform == 3720 ? pick(5, 7) * 8 : pick(6, 8) * 8;
	return (net){NET_CONV, platform == 3720 ? pick(5, 9) : pick(12, 20), 32 * pick(6, 8), h, 3, int8};
}

static net small_net(void)
{
	return (net){NET_CONV, pick(2, 12), 16 * pick(1, 2), pick(4, 10), pick(0, 1) ? 3 : 1, pick(0, 1)};
}

static net function_net(void)
{
	return (net){NET_FUNCTION, pick(2, 5), 16 * pick(2, 4), 16 * pick(2, 5), 0, false};
}

static net serial_net(void)
{
	return (net){NET_LSTM, pick(2, 4), 32 * pick(2, 4), 32 * pick(4, 8), 0, false};
}

/* ---- the host ---- */

/* Cheap preparation, several requests: the device is what limits. */
static void feed_well(scenario *s)
{
	s->optimal = s->platform == 4000 ? 8 : 4;
	s->sim.processors = pick(2, 8);
	s->sim.requests = pick(4, 8);
	s->live = pick(0, 1);
	s->sim.workers = s->live ? pick(1, 2) : 1;
	s->sim.prepare = s->live ? s->sim.device * uniform(0.05, 0.5) : 0.001;
	s->sim.copy_in = s->sim.copy_out = s->sim.device * uniform(0, 0.02);
	s->sim.notice = fmin(uniform(0.01, 0.06), 0.1 * s->sim.device);
	s->sim.jitter = uniform(0, 0.15);
}

/* ---- causes: each a function that plants it ---- */

/* Transfers and the fixed cost have clocks of their own. */
static double at_clock(const scenario *s, const tarn_account *a)
{
	return a->total + (s->slow - 1) * a->dpu;
}

static void compile(scenario *s)
{
	if (!s->platform)
		return;
	s->account = net_account(&s->net, 1, s->platform, s->tiles, false);
	s->sim.device = at_clock(s, &s->account);
}

/* A device of some milliseconds, for causes that are not its own. */
static void any_device(scenario *s)
{
	if (s->platform)
		s->net = compute_net(s->platform, true);
	else
		s->sim.device = uniform(2, 20);
	compile(s);
	feed_well(s);
}

static void plant_healthy(scenario *s)
{
	s->cause = "healthy";
	any_device(s);
	if (s->platform)
		return;
	/* On the CPU: as many streams as processors, no preparation. */
	s->live = false;
	s->sim.workers = 1;
	s->sim.prepare = 0.001;
	s->sim.requests = s->sim.streams + pick(1, 4);
}

static void plant_few_workers(scenario *s)
{
	s->cause = "data preparation";
	any_device(s);
	s->live = true;
	s->sim.processors = pick(3, 8);
	s->sim.workers = pick(1, s->sim.processors - 1);
	s->sim.requests = s->sim.workers + pick(2, 4);
	s->sim.prepare = s->sim.device * s->sim.workers * uniform(1.6, 5);
}

static void plant_full_decoding(scenario *s)
{
	s->cause = "data preparation";
	any_device(s);
	s->live = true;
	s->scaled = uniform(0.2, 0.6);
	s->sim.processors = pick(1, 4);
	s->sim.workers = s->sim.processors;
	s->sim.requests = s->sim.workers + pick(2, 4);
	s->sim.prepare = s->sim.device * s->sim.workers * uniform(1.8, 5);
}

static void plant_copies(scenario *s)
{
	s->cause = "transfer and copies";
	any_device(s);
	s->live = false;
	s->sim.workers = 1;
	s->sim.prepare = 0.001;
	s->sim.copy_in = s->sim.device * uniform(1.5, 4);
	s->sim.copy_out = s->sim.copy_in * uniform(0, 0.5);
}

static void plant_one_request(scenario *s)
{
	s->cause = "too little parallelism";
	s->detail = "one request in flight";
	any_device(s);
	s->live = true;
	s->sim.workers = s->sim.requests = 1;
	s->sim.prepare = s->sim.device * uniform(0.45, 1.8);
	s->sim.processors = pick(2, 8);
}

static void plant_few_requests(scenario *s)
{
	s->cause = "too little parallelism";
	any_device(s);
	s->live = true;
	s->sim.requests = 2;
	s->sim.workers = pick(2, 4);
	s->sim.processors = pick(4, 8);
	s->sim.prepare = s->sim.device * uniform(1.8, 2.6);
}

static void plant_other_programs(scenario *s)
{
	s->cause = "host scheduling";
	any_device(s);
	s->live = true;
	s->sim.processors = pick(2, 4);
	s->sim.workers = pick(1, s->sim.processors);
	s->sim.requests = s->sim.workers + pick(2, 4);
	/* Alone it would keep the device busy. */
	s->sim.prepare = s->sim.device * s->sim.workers * uniform(0.75, 0.95);
	s->sim.hogs = s->sim.processors * pick(2, 4);
}

static void plant_late_host(scenario *s)
{
	s->cause = "host scheduling";
	any_device(s);
	s->live = false;
	s->sim.workers = 1;
	s->sim.prepare = 0.001;
	s->sim.requests = pick(2, 4);
	s->sim.notice = s->sim.device * (s->sim.requests - 1 + uniform(0.8, 3));
}

static void plant_weights(scenario *s)
{
	s->cause = "memory bandwidth";
	s->detail = "weights";
	s->net = weights_net(pick(0, 1));
	compile(s);
	feed_well(s);
}

static void plant_rows(scenario *s)
{
	s->cause = "memory bandwidth";
	s->detail = "weights";
	s->net = row_net(pick(0, 1));
	compile(s);
	feed_well(s);
}

static void plant_activations(scenario *s)
{
	s->cause = "memory bandwidth";
	s->detail = "activations";
	s->net = activations_net(s->platform);
	compile(s);
	feed_well(s);
}

static void plant_compute(scenario *s)
{
	s->cause = "compute";
	s->net = compute_net(s->platform, false);
	compile(s);
	feed_well(s);
}

static void plant_functions(scenario *s)
{
	s->cause = "compute";
	s->net = function_net();
	compile(s);
	feed_well(s);
}

static void plant_tiles(scenario *s)
{
	s->cause = "too little parallelism";
	s->detail = "tiles unused";
	s->net = compute_net(s->platform, true);
	s->tiles = s->platform == 3720 ? 1 : pick(1, 3);
	compile(s);
	feed_well(s);
}

static void plant_small(scenario *s)
{
	s->cause = "too little parallelism";
	s->detail = "small layers";
	s->net = small_net();
	compile(s);
	feed_well(s);
}

static void plant_serial(scenario *s)
{
	s->cause = "too little parallelism";
	s->detail = "serial dependencies";
	s->net = serial_net();
	compile(s);
	feed_well(s);
}

static void plant_clock(scenario *s)
{
	s->cause = "clock";
	s->slow = uniform(1.3, 3);
	s->efficient = pick(0, 1);
	s->net = compute_net(s->platform, true);
	compile(s);
	feed_well(s);
}

/* Less is asked for than it can do: nothing limits that could be named. */
static void plant_rate(scenario *s)
{
	s->cause = "uncertain";
	s->detail = "rate limit";
	any_device(s);
	s->rate_limited = true;
	s->live = false;
	s->sim.requests = s->sim.workers = 1;
	s->sim.prepare = s->sim.device * uniform(0.7, 5);
}

static void plant_few_inferences(scenario *s)
{
	s->cause = "uncertain";
	s->detail = "too few";
	any_device(s);
	s->sim.inferences = pick(2, 9);
}

static void plant_threads(scenario *s)
{
	s->cause = "too little parallelism";
	s->detail = "processors unused";
	any_device(s);
	s->live = false;
	s->sim.workers = s->sim.streams = 1;
	s->sim.prepare = 0.001;
	s->sim.processors = pick(2, 8);
	s->threads = pick(1, s->sim.processors / 2);
}

static void (*const npu_plants[])(scenario *) = {
	plant_healthy,      plant_few_workers,    plant_full_decoding, plant_copies,  plant_one_request,
	plant_few_requests, plant_other_programs, plant_late_host,     plant_weights, plant_activations,
	plant_compute,      plant_functions,      plant_tiles,         plant_small,   plant_serial,
	plant_clock,        plant_healthy,        plant_rows,          plant_rate,    plant_few_inferences,
};
static void (*const cpu_plants[])(scenario *) = {
	plant_healthy, plant_few_workers, plant_full_decoding, plant_one_request, plant_other_programs, plant_threads,
};

static void make(uint64_t seed_of_it, scenario *s)
{
	state = seed_of_it * 0x9e3779b97f4a7c15u + 1;
	static const int platforms[] = {3720, 4000, 0};
	*s = (scenario){.platform = platforms[seed_of_it % 3], .slow = 1};
	s->sim = (host_sim){.streams = 1, .inferences = INFERENCES, .seed = state, .on_cpu = !s->platform};
	uint64_t n = seed_of_it / 3;
	if (s->platform) {
		npu_plants[n % (sizeof npu_plants / sizeof *npu_plants)](s);
		return;
	}
	s->sim.streams = pick(1, 2);
	cpu_plants[n % (sizeof cpu_plants / sizeof *cpu_plants)](s);
	/* The device is the processors: it has none beyond them. */
	s->sim.streams = s->sim.streams < s->sim.processors ? s->sim.streams : s->sim.processors;
}

/* ---- measuring ---- */

static double measure(scenario *s, tarn_counters *c)
{
	static tarn_event event[INFERENCES];
	tarn_summary sum;
	host_sim_run(&s->sim, event);
	size_t n = (size_t)s->sim.inferences;
	assert_ok(tarn_summary_make(event, n, &sum));
	assert_int_equal(sum.n, n);
	double host =
		(sum.prepare + sum.copy_in + sum.queue + sum.device + sum.notice + sum.copy_out + sum.callback) * (double)n;
	*c = (tarn_counters){.mac = NAN,
			     .ddr = NAN,
			     .in_flight = s->sim.requests,
			     .optimal = s->optimal,
			     .workers = s->live ? s->sim.workers : 0,
			     .processors = s->sim.processors,
			     .decodes_in_full = s->scaled > 0,
			     .on_cpu = s->sim.on_cpu,
			     .streams = s->sim.streams,
			     .efficient = s->efficient,
			     .rate_limited = s->rate_limited,
			     .device_ms = sum.device,
			     .prepare_cpu = s->sim.prepare_cpu_ms / host,
			     .run_cpu = s->sim.run_cpu_ms / host,
			     .run_wait = s->sim.run_wait_ms / host,
			     .run_delay = s->sim.delay_ms / (s->sim.wall_ms * s->sim.workers),
			     .cpu_others = s->sim.others};
	tarn_fill_summary(&sum, c);
	c->prepare_scaled = c->prepare * s->scaled;
	if (s->platform) {
		tarn_fill_account(&s->account, c);
		c->int8 = s->account.macs ? (double)s->account.macs_int8 / (double)s->account.macs : NAN;
		c->mac = s->account.int8 / s->account.total;
	} else if (s->threads) {
		c->tiles = s->threads;
		c->device_tiles = s->sim.processors;
	}
	return (double)n / s->sim.wall_ms;
}

static bool can_be_int8(const scenario *s)
{
	return s->platform && s->net.kind == NET_CONV && !s->net.int8;
}

/* What a caller finds out from the model of the device before it asks. */
static void suppose(const scenario *s, tarn_counters *c)
{
	if (!s->platform || c->busy < 0.5)
		return;
	net other = s->net;
	other.int8 = true;
	if (can_be_int8(s))
		c->int8_ms = net_account(&other, 1, s->platform, s->tiles, false).total;
	if (s->tiles)
		c->tiles_ms = net_account(&s->net, 1, s->platform, 0, false).total;
	c->batch = BATCH;
	c->batch_ms = net_account(&s->net, BATCH, s->platform, s->tiles, false).total / BATCH;
}

/* The same with the change made; samples a millisecond. */
static double with(const scenario *s, const tarn_counters *c, tarn_change change)
{
	scenario t = *s;
	tarn_counters ignored;
	double samples = 1;
	if (change == TARN_CHANGE_REQUESTS || change == TARN_CHANGE_WORKERS)
		t.sim.requests = tarn_want_requests(c) > t.sim.requests ? tarn_want_requests(c) : t.sim.requests;
	if (change == TARN_CHANGE_WORKERS)
		t.sim.workers = tarn_want_workers(c);
	if (change == TARN_CHANGE_SCALED)
		t.sim.prepare *= s->scaled;
	if (change == TARN_CHANGE_OWN_MEMORY)
		t.sim.copy_in = t.sim.copy_out = 0;
	if (change == TARN_CHANGE_INT8)
		t.net.int8 = true;
	if (change == TARN_CHANGE_TILES)
		t.tiles = 0;
	if (change == TARN_CHANGE_CLOCK)
		t.slow = 1;
	compile(&t);
	if (change == TARN_CHANGE_TURBO || change == TARN_CHANGE_BATCH) {
		bool turbo = change == TARN_CHANGE_TURBO && t.slow <= 1;
		t.account = net_account(&t.net, change == TARN_CHANGE_BATCH ? BATCH : 1, t.platform, t.tiles, turbo);
		t.sim.device = at_clock(&t, &t.account);
	}
	if (change == TARN_CHANGE_BATCH) {
		samples = BATCH;
		t.sim.prepare *= BATCH;
		t.sim.copy_in *= BATCH;
		t.sim.copy_out *= BATCH;
	}
	return measure(&t, &ignored) * samples;
}

/* ---- the test ---- */

typedef struct score {
	int n, right, detailed, uncertain, healthy, accused, advised, kept;
} score;

static void try(uint64_t seed_of_it, bool talk, score *k)
{
	scenario s;
	tarn_counters c;
	tarn_finding f;
	tarn_str sentence = {0}, next = {0};
	make(seed_of_it, &s);
	double rate = measure(&s, &c);
	suppose(&s, &c);
	assert_ok(tarn_verdict_find(&c, &f, &sentence, &next));
	bool right = !strcmp(f.name, s.cause), uncertain = !strcmp(f.name, "uncertain");
	bool healthy = !strcmp(s.cause, "healthy");
	k->n++;
	k->right += right;
	k->detailed += right && (!s.detail || !strcmp(s.detail, f.detail));
	k->uncertain += uncertain && !right;
	k->healthy += healthy;
	k->accused += healthy && !right && !uncertain;
	double gain = NAN;
	bool kept = true;
	if (right && f.change < TARN_CHANGE_COUNT && f.gain >= 1.05) {
		gain = with(&s, &c, f.change) / rate;
		kept = f.gain / gain < 1.2 && gain / f.gain < 1.2;
		k->advised++;
		k->kept += kept;
	}
	if (talk || !right || !kept)
		print_message("%llu: %d planted %s/%s, got %s/%s; %s promised %.2f, gained %.2f%s\n    %s\n",
			      (unsigned long long)seed_of_it, s.platform, s.cause, s.detail ? s.detail : "-", f.name, f.detail,
			      f.change < TARN_CHANGE_COUNT ? tarn_change_word(f.change) : "nothing", f.gain, gain,
			      right && kept ? "" : "   <---", sentence.at);
	tarn_str_fini(&sentence);
	tarn_str_fini(&next);
}

static void scenarios(void **unused)
{
	(void)unused;
	const char *many = getenv("TARN_SCENARIOS"), *one = getenv("TARN_SCENARIO");
	int n = many ? atoi(many) : SEEDS;
	score k = {0};
	for (int i = 0; i < n; i++)
		try(one ? strtoull(one, NULL, 10) : (uint64_t)i, one, &k);
	print_message("%d scenarios: %d named right (%d with the detail), %d uncertain; %d healthy, %d accused; %d of %d "
		      "promises kept "
		      "within 20 %%\n",
		      k.n, k.right, k.detailed, k.uncertain, k.healthy, k.accused, k.kept, k.advised);
	assert_true(k.right >= 0.95 * k.n);
	assert_true(k.uncertain <= 0.05 * k.n);
	assert_int_equal(k.accused, 0);
	assert_true(k.kept >= 0.9 * k.advised);
}

/* Preparation of a fifth of the device's time, by one worker, and 20 us of the host for each request: the device is busy 95 %
 * of the time or more, from the smallest network on, with as many requests as it calls optimal. */
static void cheap_preparation(void **unused)
{
	(void)unused;
	static const int platforms[] = {3720, 4000};
	for (int i = 0; i < 40; i++) {
		scenario s = {.platform = platforms[i % 2], .slow = 1};
		tarn_counters c;
		state = (uint64_t)i * 0x9e3779b97f4a7c15u + 1;
		s.net = i % 4 < 2 ? small_net() : compute_net(s.platform, true);
		s.sim = (host_sim){.streams = 1, .inferences = INFERENCES, .seed = state, .processors = 2, .workers = 1};
		compile(&s);
		s.live = true;
		s.sim.requests = s.platform == 4000 ? 8 : 4;
		s.sim.prepare = 0.2 * s.sim.device;
		s.sim.notice = 0.02;
		s.sim.jitter = 0.15;
		measure(&s, &c);
		assert_true(c.busy >= 0.95);
		/* The same with a worker that takes longer than the device does not: the test can fail. */
		s.sim.prepare = 1.5 * s.sim.device;
		measure(&s, &c);
		assert_true(c.busy < 0.8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(scenarios), cmocka_unit_test(cheap_preparation)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

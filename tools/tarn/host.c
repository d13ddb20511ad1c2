/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double ms_of(const struct timespec *t)
{
	return (double)t->tv_sec * 1e3 + (double)t->tv_nsec * 1e-6;
}

static double clock_ms(clockid_t id)
{
	struct timespec t;
	return clock_gettime(id, &t) ? NAN : ms_of(&t);
}

/* Ticks of the processors in `set` that were not idle. */
static double busy_ticks(const cpu_set_t *set)
{
	FILE *f = fopen("/proc/stat", "r");
	char line[512];
	double sum = 0;
	int seen = 0;
	if (!f)
		return NAN;
	while (fgets(line, sizeof line, f)) {
		int cpu;
		double t[8] = {0};
		/* user nice system idle iowait irq softirq steal */
		if (sscanf(line, "cpu%d %lf %lf %lf %lf %lf %lf %lf %lf", &cpu, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
			   &t[7]) < 5 ||
		    cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)cpu, set))
			continue;
		sum += t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
		seen++;
	}
	fclose(f);
	return seen ? sum : NAN;
}

static void first_word(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "r");
	*to = 0;
	if (!f)
		return;
	if (fgets(to, (int)size, f))
		to[strcspn(to, " \n")] = 0;
	else
		*to = 0;
	fclose(f);
}

/* Processor time of this process's threads of that name; *waited: what all its threads waited for a processor. */
static double threads_ms(const char *name, double *waited)
{
	DIR *d = opendir("/proc/self/task");
	double sum = 0;
	*waited = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], comm[32] = "";
		double ran = 0, delay = 0;
		if (*e->d_name == '.')
			continue;
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
		first_word(path, comm, sizeof comm);
		snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", e->d_name);
		FILE *f = fopen(path, "r");
		if (f && fscanf(f, "%lf %lf", &ran, &delay) == 2) {
			sum += strcmp(comm, name) ? 0 : ran * 1e-6;
			*waited += delay * 1e-6;
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}

void host_read(host_use *h)
{
	cpu_set_t set;
	struct rusage u;
	CPU_ZERO(&set);
	double waited, simulator = threads_ms("tarn-npu", &waited);
	*h = (host_use){.wall_ms = clock_ms(CLOCK_MONOTONIC),
			.own_ms = NAN,
			.all_ms = NAN,
			.simulator_ms = simulator,
			.delay_ms = waited};
	if (!getrusage(RUSAGE_SELF, &u))
		h->own_ms = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
			    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-3;
	if (sched_getaffinity(0, sizeof set, &set))
		return;
	h->processors = CPU_COUNT(&set);
	h->all_ms = busy_ticks(&set) * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

double host_others(const host_use *before, const host_use *after)
{
	double room = (after->wall_ms - before->wall_ms) * after->processors;
	double others = after->all_ms - before->all_ms - (after->own_ms - before->own_ms);
	/* Ticks are coarse: too short a time says nothing. */
	if (!(room > 200) || isnan(others))
		return NAN;
	return others < 0 ? 0 : others > room ? 1 : others / room;
}

double host_thread_delay_ms(void)
{
	FILE *f = fopen("/proc/thread-self/schedstat", "r");
	double ran, waited = 0;
	if (!f)
		return 0;
	if (fscanf(f, "%lf %lf", &ran, &waited) != 2)
		waited = 0;
	fclose(f);
	return waited * 1e-6;
}

double host_thread_cpu_ms(void)
{
	return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

void host_find_state(host_state *s)
{
	char text[32];
	double load;
	*s = (host_state){.load = getloadavg(&load, 1) == 1 ? load : NAN, .mhz = NAN};
	first_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", s->governor, sizeof s->governor);
	first_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", text, sizeof text);
	if (*text)
		s->mhz = atof(text) * 1e-3;
	first_word("/sys/class/power_supply/AC/online", text, sizeof text);
	if (*text)
		snprintf(s->power, sizeof s->power, "%s", *text == '1' ? "mains" : "battery");
}

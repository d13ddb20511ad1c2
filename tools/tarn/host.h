/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses the processors: this process, others; and how long a thread that could run waited for one. From /proc. */
#ifndef TARN_TOOL_HOST_H
#define TARN_TOOL_HOST_H

#include <stdio.h>

typedef struct host_use {
	double wall_ms, own_ms,
		all_ms;      /* since some moment: time, processor time of this process, of everybody; NAN: not known */
	double delay_ms;     /* what its threads waited for a processor, summed */
	double simulator_ms; /* of own_ms, what the simulated device itself took */
	int processors;      /* that this process may use */
} host_use;
void host_read(host_use *h);
/* Of the processors, between two readings, what other programs used; NAN: not known. */
double host_others(const host_use *before, const host_use *after);
/* Milliseconds the calling thread could have run and did not, since it started; 0 where the system does not tell. */
double host_thread_delay_ms(void);
/* Processor time of the calling thread. */
double host_thread_cpu_ms(void);

/* What else may have a say in a measurement, as it is now. NAN and "": not known. */
typedef struct host_state {
	double load;       /* runnable processes, mean of the last minute */
	double mhz;        /* of the first processor */
	char governor[32]; /* of its clock */
	char power[32];    /* on "mains" or "battery" */
} host_state;
void host_find_state(host_state *s);

#endif

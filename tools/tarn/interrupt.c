/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Made before they are needed: a signal handler may do little more than write. */
static char line[128], object[192];
static atomic_int *watched;   /* free of locks, so that a handler may set it and other threads read it */
static struct timespec first; /* of watched */
static volatile pid_t child;

static void put(int fd, const char *text)
{
	size_t n = strlen(text);
	while (n) {
		ssize_t did = write(fd, text, n);
		if (did <= 0)
			return;
		text += did;
		n -= (size_t)did;
	}
}

/* One wish may arrive several times: from a terminal, and passed on. */
static bool is_second(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*watched)
		first = now;
	return (double)(now.tv_sec - first.tv_sec) + (double)(now.tv_nsec - first.tv_nsec) * 1e-9 > 0.5;
}

static void on_interrupt(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (child) {
		if (info->si_code <= 0) /* sent by a process, to this one only */
			kill(child, sig);
		return;
	}
	if (watched && !is_second()) {
		*watched = 1;
		return;
	}
	put(STDERR_FILENO, line);
	put(STDOUT_FILENO, object);
	_exit(1);
}

void interrupt_begin(const char *command, bool json)
{
	struct sigaction a = {.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO};
	snprintf(line, sizeof line, "tarn: %s: interrupted; start it again to have its results\n", command);
	if (json)
		snprintf(object, sizeof object, "{\"error\": {\"code\": 1, \"where\": \"%s\", \"message\": \"interrupted\"}}\n",
			 command);
	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

void interrupt_watch(atomic_int *flag)
{
	watched = flag;
}

void interrupt_unwatch(void)
{
	watched = NULL;
	child = 0;
}

void interrupt_pass_to(pid_t pid)
{
	child = pid;
}

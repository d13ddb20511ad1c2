/* SPDX-License-Identifier: Apache-2.0 */
#include "paced.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interrupt.h"
#include "say.h"

#define MODE "TARN_NPU_MODE"

extern char **environ;

bool paced_here(void)
{
	const char *mode = getenv(MODE);
	return mode && !strcmp(mode, "paced");
}

/* This process's environment with the mode in it; the list is the caller's, the texts are not. */
static char **child_environment(void)
{
	static char setting[] = MODE "=paced";
	size_t n = 0, to = 0;
	while (environ[n])
		n++;
	char **env = calloc(n + 2, sizeof *env);
	for (size_t i = 0; env && i < n; i++)
		if (strncmp(environ[i], MODE "=", strlen(MODE) + 1) != 0)
			env[to++] = environ[i];
	if (env)
		env[to] = setting;
	return env;
}

static int wait_for(const char *command, pid_t child)
{
	int status;
	interrupt_pass_to(child); /* it ends in its own way */
	pid_t got;
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	interrupt_unwatch();
	if (got == child && WIFEXITED(status)) {
		say_answered();
		return WEXITSTATUS(status);
	}
	return fail(1, command, "the process of the paced device ended unexpectedly; try it with TARN_LOG=debug");
}

int paced_run(const char *command, int argc, char **argv)
{
	char **words = calloc((size_t)argc + 3, sizeof *words), **env = child_environment();
	char *name = strdup(command), self[] = "tarn";
	int code = 1;
	pid_t child;
	if (!words || !env || !name) {
		code = fail(1, command, "out of memory");
	} else {
		words[0] = self;
		words[1] = name;
		if (argc)
			memcpy(words + 2, argv, (size_t)argc * sizeof *words);
		fflush(stdout);
		int error = posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, env);
		code = error ? fail(1, command, "cannot start a process for the paced device: %s; set " MODE "=paced instead",
				    strerror(error))
			     : wait_for(command, child);
	}
	free(words);
	free(env);
	free(name);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, for those that run others with other options. */
#ifndef TARN_TOOL_COMMANDS_H
#define TARN_TOOL_COMMANDS_H

/* Fields of options.def that the command takes; "" when there is none of that name. */
const char *command_takes(const char *name);

#endif

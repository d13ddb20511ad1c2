/* SPDX-License-Identifier: Apache-2.0 */
/* run with --state: a model whose outputs come back as its inputs, over everything the input files hold. */
#ifndef TARN_TOOL_RUN_STATE_H
#define TARN_TOOL_RUN_STATE_H

#include "session.h"
#include "tarn/state.h"

/* What --state, --window and --step say; `step` where the last one is not given. Points into o. */
tarn_state_options state_options(const options *o, int64_t step);
/* Do the options ask for it? */
bool run_state_wanted(const options *o);
/* After session_open. 0, or an exit code after its message. */
int run_state(session *s);

#endif

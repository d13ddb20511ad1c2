/* SPDX-License-Identifier: Apache-2.0 */
/* The report of tarn bench. */
for (const part of [headline, verdict, figures, phases, device, fromAdvertisedToAchieved, inTime, layers, notes])
	part(report);

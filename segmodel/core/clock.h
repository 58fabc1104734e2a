/* The one clock. */
#ifndef SEGMODEL_CORE_CLOCK_H
#define SEGMODEL_CORE_CLOCK_H

/* Seconds since some moment in the past; never goes back, whatever happens to the time of day. */
double sgm_clock(void);

#endif

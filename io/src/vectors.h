/* Products of vectors in space. */
#ifndef SGIO_VECTORS_H
#define SGIO_VECTORS_H

#include <math.h>

static inline void sgio_cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static inline double sgio_dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* To length 1; a vector without length stays. The length that it had. */
static inline double sgio_normalise(double v[3])
{
    const double length = sqrt(sgio_dot(v, v));
    for (int r = 0; r < 3 && length > 0; r++)
        v[r] /= length;
    return length;
}

#endif

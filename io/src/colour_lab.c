#include "colour_lab.h"

#include <math.h>

static const double white[3] = {0.950456, 1, 1.088754};
static const double to_xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375},
                                    {0.2126729, 0.7151522, 0.0721750},
                                    {0.0193339, 0.1191920, 0.9503041}};
static const double from_xyz[3][3] = {{3.2404542, -1.5371385, -0.4985314},
                                      {-0.9692660, 1.8760108, 0.0415560},
                                      {0.0556434, -0.2040259, 1.0572252}};

static double within(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static double to_linear(double c)
{
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double from_linear(double c)
{
    return c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055;
}

static double root(double t)
{
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

static double cube(double t)
{
    return t * t * t > 216.0 / 24389 ? t * t * t : (116 * t - 16) / (24389.0 / 27);
}

void sgio_rgb_to_lab(const double rgb[3], uint16_t lab[3])
{
    double f[3];
    for (int r = 0; r < 3; r++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += to_xyz[r][c] * to_linear(within(rgb[c], 0, 1));
        f[r] = root(sum / white[r]);
    }
    const double values[3] = {(116 * f[1] - 16) / 100, (500 * (f[0] - f[1]) + 128) / 255,
                              (200 * (f[1] - f[2]) + 128) / 255};
    for (int i = 0; i < 3; i++)
        lab[i] = (uint16_t)rint(within(values[i], 0, 1) * 65535);
}

void sgio_lab_to_rgb(const double lab[3], double rgb[3])
{
    const double y = (lab[0] / 65535 * 100 + 16) / 116;
    const double f[3] = {y + (lab[1] / 65535 * 255 - 128) / 500, y,
                         y - (lab[2] / 65535 * 255 - 128) / 200};
    for (int r = 0; r < 3; r++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += from_xyz[r][c] * white[c] * cube(f[c]);
        rgb[r] = within(from_linear(within(sum, 0, 1)), 0, 1);
    }
}

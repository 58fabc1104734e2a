/* Marching cubes (Lorensen and Cline 1987) with the surface's corners in the middle of edges, made
 * by rule instead of a table of 256 rows:
 *  - On a face whose diagonal voxels agree and whose neighbours do not, two lines are possible. At
 *    most four voxels inside: they are kept apart; more: those outside are.
 *  - The lines of all faces close to loops. A loop that is not flat is cut into the triangles of
 *    the largest sum of areas on a cube; that choice is unique.
 * This gives the areas of DeepMind's surface-distance for all 256 neighbourhoods and any spacing,
 * and goes on where that package has no answer: oblique and sheared grids. */
#include "metrics/surface_pieces.h"

#include <math.h>
#include <string.h>

enum { EDGES = 12, LONGEST_LOOP = 12 };

/* Edge e runs along axis e / 4; its place in the other two axes (in order) are bits 0, 1 of e % 4.
 */
typedef struct vector {
    double x[3];
} vector;

static vector edge_middle(int edge)
{
    int along = edge / 4, low = along == 0 ? 1 : 0, high = along == 2 ? 1 : 2;
    vector v;
    v.x[along] = 0.5;
    v.x[low] = edge & 1;
    v.x[high] = edge >> 1 & 1;
    return v;
}

/* The edge between two corners that differ in one bit. */
static int edge_between(int a, int b)
{
    int along = (a ^ b) == 1 ? 0 : (a ^ b) == 2 ? 1 : 2;
    int low = along == 0 ? 1 : 0, high = along == 2 ? 1 : 2;
    return 4 * along + (a >> low & 1) + 2 * (a >> high & 1);
}

typedef struct links {
    int next[EDGES][2], count[EDGES];
} links;

static void link_edges(links *l, int a, int b)
{
    l->next[a][l->count[a]++] = b;
    l->next[b][l->count[b]++] = a;
}

/* The lines on one face, corners in order around it. */
static void cross_face(links *l, int code, const int corner[4])
{
    int crossed[4], count = 0, edge[4];
    for (int i = 0; i < 4; i++) {
        int a = corner[i], b = corner[(i + 1) % 4];
        edge[i] = edge_between(a < b ? a : b, a < b ? b : a);
        if ((code >> a & 1) != (code >> b & 1)) crossed[count++] = edge[i];
    }
    if (count == 2) link_edges(l, crossed[0], crossed[1]);
    if (count < 4) return;
    int apart = __builtin_popcount((unsigned)code) <= 4; /* the value that is cut off */
    for (int i = 0; i < 4; i++)
        if ((code >> corner[i] & 1) == apart) link_edges(l, edge[(i + 3) % 4], edge[i]);
}

static void cross_faces(links *l, int code)
{
    memset(l, 0, sizeof *l);
    for (int axis = 0; axis < 3; axis++)
        for (int side = 0; side < 2; side++) {
            int u = 1 << (axis + 1) % 3, v = 1 << (axis + 2) % 3, base = side << axis;
            cross_face(l, code, (int[4]){base, base + u, base + u + v, base + v});
        }
}

/* Takes the loop through `edge` out of the links. */
static int take_loop(links *l, int edge, vector loop[LONGEST_LOOP])
{
    int count = 0, at = edge;
    while (at >= 0) {
        int next = -1;
        loop[count++] = edge_middle(at);
        l->count[at] = 0;
        for (int i = 0; i < 2 && next < 0; i++)
            if (l->count[l->next[at][i]]) next = l->next[at][i];
        at = next;
    }
    return count;
}

static vector cross(vector a, vector b, vector c)
{
    double u[3], v[3];
    for (int i = 0; i < 3; i++) {
        u[i] = b.x[i] - a.x[i];
        v[i] = c.x[i] - a.x[i];
    }
    return (vector){{(u[1] * v[2] - u[2] * v[1]) / 2, (u[2] * v[0] - u[0] * v[2]) / 2,
                     (u[0] * v[1] - u[1] * v[0]) / 2}};
}

static double length(const double x[3])
{
    return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
}

static vector map(const double axes[3][3], vector v)
{
    vector w;
    for (int r = 0; r < 3; r++)
        w.x[r] = axes[r][0] * v.x[0] + axes[r][1] * v.x[1] + axes[r][2] * v.x[2];
    return w;
}

/* The largest sum of triangle areas of loop[first..last] on a cube, and the area of those triangles
 * in space. */
typedef struct cut {
    double on_cube, in_space;
} cut;

static cut cut_largest(const vector *loop, const vector *mapped, int first, int last)
{
    cut best = {0, 0};
    for (int k = first + 1; k < last; k++) {
        cut left = cut_largest(loop, mapped, first, k), right = cut_largest(loop, mapped, k, last);
        double here = length(cross(loop[first], loop[k], loop[last]).x);
        double sum = left.on_cube + right.on_cube + here;
        if (sum <= best.on_cube + 1e-9) continue;
        best.on_cube = sum;
        best.in_space = left.in_space + right.in_space +
                        length(cross(mapped[first], mapped[k], mapped[last]).x);
    }
    return best;
}

static double area_of(int code, const double axes[3][3])
{
    links l;
    double sum = 0;
    vector loop[LONGEST_LOOP], mapped[LONGEST_LOOP];
    cross_faces(&l, code);
    for (int edge = 0; edge < EDGES; edge++) {
        if (!l.count[edge]) continue;
        int count = take_loop(&l, edge, loop);
        for (int i = 0; i < count; i++)
            mapped[i] = map(axes, loop[i]);
        sum += cut_largest(loop, mapped, 0, count - 1).in_space;
    }
    return sum;
}

void sgm_surface_areas(const double axes[3][3], double area[SGM_NEIGHBOURHOODS])
{
    for (int code = 0; code < SGM_NEIGHBOURHOODS; code++)
        area[code] = area_of(code, axes);
}

void sgm_contour_lengths(const double a[3], const double b[3], double out[16])
{
    double sum[3], difference[3];
    for (int i = 0; i < 3; i++) {
        sum[i] = (a[i] + b[i]) / 2;
        difference[i] = (a[i] - b[i]) / 2;
    }
    for (int code = 0; code < 16; code++) {
        double rising = length(sum), falling = length(difference), l = 0;
        int inside = __builtin_popcount((unsigned)code);
        int odd = inside == 1 ? code : 15 ^ code; /* the single corner of one or three */
        if (inside == 1 || inside == 3) l = odd == 1 || odd == 8 ? falling : rising;
        if (code == 3 || code == 12) l = length(a);
        if (code == 5 || code == 10) l = length(b);
        if (code == 9) l = 2 * falling; /* corners (0,0) and (1,1) cut off */
        if (code == 6) l = 2 * rising;
        out[code] = l;
    }
}

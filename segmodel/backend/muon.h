/* Numbers of Muon that all backends share (Jordan 2024). A step takes x, which has no more rows
 * than columns, to (A + B g + C g g) x, where g is x times its transpose. */
#ifndef SEGMODEL_BACKEND_MUON_H
#define SEGMODEL_BACKEND_MUON_H

#define SGM_MUON_A 3.4445f
#define SGM_MUON_B (-4.7750f)
#define SGM_MUON_C 2.0315f
#define SGM_MUON_STEPS 5
#define SGM_MUON_MOMENTUM 0.95f
#define SGM_MUON_EPSILON 1e-12 /* beside a matrix' norm */

#endif

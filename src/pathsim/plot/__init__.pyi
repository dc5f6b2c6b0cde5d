"""Every figure, one line each; ``names.py`` reads this file and tests hold each line to exist."""

from .agreement import draw_agreement as draw_agreement
from .agreement import draw_left_out as draw_left_out
from .blot import draw_blot as draw_blot
from .dose_response import draw_dose_response as draw_dose_response
from .escalation import draw_escalation as draw_escalation
from .fit import draw_blot_fit as draw_blot_fit
from .fit import draw_fit as draw_fit
from .fit import draw_parameters as draw_parameters
from .fit import draw_profile as draw_profile
from .fit import draw_profiles as draw_profiles
from .fit import draw_waterfall as draw_waterfall
from .glucose import draw_glucose as draw_glucose
from .investigation import draw_investigation as draw_investigation
from .network import draw_network as draw_network
from .sensitivity import draw_morris as draw_morris
from .sensitivity import draw_sobol as draw_sobol
from .sensitivity import draw_tornado as draw_tornado
from .survival import draw_survival as draw_survival
from .synergy import draw_combination_index as draw_combination_index
from .synergy import draw_dose_matrix as draw_dose_matrix
from .synergy import draw_isobologram as draw_isobologram
from .synergy import draw_ranking as draw_ranking
from .synergy import draw_synergy as draw_synergy
from .time_course import draw_time_course as draw_time_course
from .trial import draw_trial as draw_trial
from .xenograft import draw_xenograft as draw_xenograft

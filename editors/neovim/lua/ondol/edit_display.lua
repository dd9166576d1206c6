--- Draws an edit with extmarks: what goes, what comes, and a hint at the end of the cursor's line. The text of the
--- buffer does not change.
local edit_diff = require('ondol.edit_diff')
local extmarks = require('ondol.extmarks')
local text = require('ondol.text')
local api = vim.api
local M = {}

local layer = extmarks.layer('ondol_edit')
local mark = layer.mark

local old_group, new_group, hint_group = 'OndolEditOld', 'OndolEditNew', 'OndolEditHint'

--- Defines the highlight groups, unless the user has defined them.
function M.define_colours()
  local removed = api.nvim_get_hl(0, { name = 'DiffDelete', link = false })
  api.nvim_set_hl(0, old_group, {
    default = true,
    strikethrough = true,
    bg = removed.bg,
    ctermbg = removed.ctermbg,
    fg = removed.bg == nil and removed.fg or nil,
    ctermfg = removed.ctermbg == nil and removed.ctermfg or nil,
  })
  api.nvim_set_hl(0, new_group, { default = true, link = 'DiffAdd' })
  api.nvim_set_hl(0, hint_group, { default = true, link = 'DiagnosticVirtualTextHint' })
end

--- Removes the drawing from a buffer.
---@param buffer integer
function M.clear(buffer)
  layer.clear(buffer)
end

local function draw_line(buffer, row, old, new)
  local tabstop = vim.bo[buffer].tabstop
  for _, change in ipairs(edit_diff.changes(old, new)) do
    if change.last > change.first then
      mark(buffer, row, change.first, { end_col = change.last, hl_group = old_group, priority = 250 })
    end
    if change.text ~= '' then
      local column = vim.fn.strdisplaywidth(old:sub(1, change.last))
      local come = { { text.expand_tabs(change.text, column, tabstop), new_group } }
      mark(buffer, row, change.last, { virt_text = come, virt_text_pos = 'inline' })
    end
  end
end

--- Draws what an edit removes and adds.
---@param buffer integer
---@param hunk ondol.Hunk
function M.draw(buffer, hunk)
  local paired = math.min(#hunk.old, #hunk.new)
  for index = 1, paired do
    draw_line(buffer, hunk.row + index - 1, hunk.old[index], hunk.new[index])
  end
  for index = paired + 1, #hunk.old do
    local row, line = hunk.row + index - 1, hunk.old[index]
    if line == '' then
      mark(buffer, row, 0, { virt_text = { { ' ', old_group } }, virt_text_pos = 'overlay' })
    else
      mark(buffer, row, 0, { end_col = #line, hl_group = old_group, priority = 250 })
    end
  end
  if #hunk.new > paired then
    local row = hunk.row + paired - 1
    local below = extmarks.below(buffer, hunk.new, paired + 1, new_group)
    mark(buffer, math.max(row, 0), 0, { virt_lines = below, virt_lines_above = row < 0 })
  end
end

--- Draws a hint at the end of a line.
---@param buffer integer
---@param row integer from 0
---@param hint string
function M.hint(buffer, row, hint)
  mark(buffer, row, 0, { virt_text = { { '  ' }, { hint, hint_group } }, virt_text_pos = 'eol', hl_mode = 'combine' })
end

return M

--- Draws a suggestion as ghost text with extmarks. The text of the buffer does not change.
local extmarks = require('ondol.extmarks')
local text = require('ondol.text')
local suggestion = require('ondol.suggestion')
local api = vim.api
local M = {}

local layer = extmarks.layer('ondol')

local group = 'OndolGhost'

local terminal_grey = 8 -- "bright black"

--- Defines the highlight group, unless the user has defined it. Neovim's default colours contain no grey for terminals
--- without true colour, where a suggestion would look like typed text. There the terminal's grey is used.
function M.define_colour()
  local base = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'Comment'
  local colour = api.nvim_get_hl(0, { name = base, link = false })
  local lacks = colour.ctermfg == nil
  colour.ctermfg = colour.ctermfg or terminal_grey
  if lacks and base == 'ComplHint' then
    api.nvim_set_hl(0, base, colour)
  end
  colour.default = true
  api.nvim_set_hl(0, group, colour)
end

--- Removes the ghost text of a buffer.
---@param buffer integer
function M.clear(buffer)
  layer.clear(buffer)
end

--- Chunks that cover the rest of the line up to its last cell.
local function overlay(first, kept, hidden, column)
  local chunks = { { first, group } }
  if kept ~= '' then
    chunks[#chunks + 1] = { kept, 'Normal' }
  end
  local missing = vim.fn.strdisplaywidth(hidden, column) - vim.fn.strdisplaywidth(first .. kept, column)
  if missing > 0 then
    chunks[#chunks + 1] = { (' '):rep(missing), 'Normal' }
  end
  return chunks
end

--- Draws the rest of a suggestion at the cursor.
---@param buffer integer
---@param rest ondol.Rest
---@param hint string|nil a note after the text, such as (2/3)
function M.draw(buffer, rest, hint)
  M.clear(buffer)
  local insert, replaced = suggestion.shortest(rest)
  local line = api.nvim_buf_get_lines(buffer, rest.row, rest.row + 1, false)[1] or ''
  local after = line:sub(rest.column + 1)
  local kept = after:sub(#replaced + 1)
  local tabstop = vim.bo[buffer].tabstop
  local column = vim.fn.strdisplaywidth(line:sub(1, rest.column))
  local lines = vim.split(insert, '\n', { plain = true })
  lines[1] = text.expand_tabs(lines[1], column, tabstop)

  local mark = { hl_mode = 'combine' }
  if after == '' or (#lines == 1 and replaced == '') then
    mark.virt_text = { { lines[1], group } }
    mark.virt_text_pos = 'inline'
  else
    local shown_after = text.expand_tabs(kept, column + vim.fn.strdisplaywidth(lines[1], column), tabstop)
    mark.virt_text = overlay(lines[1], #lines == 1 and shown_after or '', after, column)
    mark.virt_text_pos = 'overlay'
  end
  if #lines > 1 then
    mark.virt_lines = extmarks.below(buffer, lines, 2, group)
    if kept ~= '' then
      local width = vim.fn.strdisplaywidth(mark.virt_lines[#lines - 1][1][1])
      table.insert(mark.virt_lines[#lines - 1], { text.expand_tabs(kept, width, tabstop), 'Normal' })
    end
  end
  if hint then
    local last = mark.virt_lines and mark.virt_lines[#mark.virt_lines] or mark.virt_text
    last[#last + 1] = { hint, group }
  end
  layer.mark(buffer, rest.row, rest.column, mark)
end

return M

--- One suggestion: checks an item of the server, follows the typed text, inserts the suggestion into the buffer.
local text = require('ondol.text')
local api = vim.api
local M = {}

---@class ondol.Suggestion
---@field item table the item as the server sent it
---@field text string the whole text, lines joined by \n
---@field buffer integer
---@field row integer line of the range, from 0
---@field column integer byte where the range begins
---@field head string the line before the range
---@field replaced string the text after the cursor that the range covers
---@field tail string the line after the range

---@class ondol.Rest the part that is not inserted yet
---@field row integer cursor line, from 0
---@field column integer cursor byte
---@field text string
---@field replaced string text after the cursor that the suggestion replaces
---@field tail string the rest of the line
---@field done integer bytes of the suggestion that the buffer already contains

--- Creates a suggestion from an item, after checking it against the position of the request.
---@param item any
---@param buffer integer
---@param row integer cursor line, from 0
---@param column integer cursor byte
---@param line string the line
---@param encoding string position encoding of the server
---@return ondol.Suggestion|nil
---@return string|nil reason why the item is invalid
function M.from_item(item, buffer, row, column, line, encoding)
  if type(item) ~= 'table' or type(item.insertText) ~= 'string' or item.insertText == '' then
    return nil, 'it has no text'
  end
  local first, last = column, column
  if item.range ~= nil and item.range ~= vim.NIL then
    local from, to = vim.tbl_get(item, 'range', 'start'), vim.tbl_get(item, 'range', 'end')
    if type(from) ~= 'table' or type(to) ~= 'table' or from.line ~= row or to.line ~= row then
      return nil, 'its range is not on the line of the cursor'
    end
    local from_byte, to_byte = text.byte_of(line, from.character, encoding), text.byte_of(line, to.character, encoding)
    if not from_byte or not to_byte or from_byte > column or to_byte < column then
      return nil, 'its range does not fit the line'
    end
    first, last = from_byte, to_byte
  end
  local suggestion = {
    item = item,
    text = item.insertText:gsub('\r\n?', '\n'),
    buffer = buffer,
    row = row,
    column = first,
    head = line:sub(1, first),
    replaced = line:sub(column + 1, last),
    tail = line:sub(last + 1),
  }
  local typed = line:sub(first + 1, column)
  if suggestion.text:sub(1, #typed) ~= typed then
    return nil, 'it does not begin with the text before the cursor'
  end
  if suggestion.text == typed .. suggestion.replaced then
    return nil, 'it adds nothing'
  end
  return suggestion
end

--- Whether `extra` consists of closing characters that the editor inserted after the cursor, such as a bracket.
local function closed_by_editor(extra, rest)
  return #extra <= 4 and not extra:find('[^%)%]}>"\'`]') and rest:find(extra, 1, true) ~= nil
end

--- The rest of a suggestion at the cursor, or nil if the text no longer agrees with it.
---@param suggestion ondol.Suggestion
---@param row integer
---@param column integer
---@return ondol.Rest|nil
function M.rest(suggestion, row, column)
  local s = suggestion
  if row < s.row or row - s.row > select(2, s.text:gsub('\n', '')) or not api.nvim_buf_is_loaded(s.buffer) then
    return nil
  end
  local lines = api.nvim_buf_get_lines(s.buffer, s.row, row + 1, false)
  if #lines ~= row - s.row + 1 or lines[1]:sub(1, #s.head) ~= s.head then
    return nil
  end
  local after = lines[#lines]:sub(column + 1)
  lines[#lines] = lines[#lines]:sub(1, column)
  if row == s.row and column < s.column then
    return nil
  end
  local typed = table.concat(lines, '\n'):sub(#s.head + 1)
  local rest = s.text:sub(#typed + 1)
  if s.text:sub(1, #typed) ~= typed or rest == '' then
    return nil
  end
  local replaced = after:sub(1, #after - #s.tail)
  if after:sub(#replaced + 1) ~= s.tail then
    return nil
  end
  if replaced ~= s.replaced then
    local shrunk = s.replaced:sub(-#replaced) == replaced
    local grown = replaced:sub(-#s.replaced) == s.replaced or s.replaced == ''
    local closed = grown and closed_by_editor(replaced:sub(1, #replaced - #s.replaced), rest)
    if replaced ~= '' and not shrunk and not closed then
      return nil
    end
  end
  if rest == replaced then
    return nil
  end
  return { row = row, column = column, text = rest, replaced = replaced, tail = s.tail, done = #typed }
end

--- The same change with the shortest replacement: an end that both texts share is not replaced.
---@param rest ondol.Rest
---@return string insert
---@return string replaced text after the cursor that is replaced
function M.shortest(rest)
  local insert, replaced = rest.text, rest.replaced
  if replaced ~= '' and #insert > #replaced and insert:sub(-#replaced) == replaced then
    return insert:sub(1, -#replaced - 1), ''
  end
  return insert, replaced
end

--- Starts a new undo step.
function M.break_undo()
  vim.cmd('let &l:undolevels = &l:undolevels')
end

--- Inserts a part of the rest and moves the cursor to its end. The insertion is one undo step.
---@param suggestion ondol.Suggestion
---@param rest ondol.Rest
---@param bytes integer length of the part; the whole rest also replaces the text after the cursor
function M.insert(suggestion, rest, bytes)
  local whole = bytes >= #rest.text
  local lines = vim.split(rest.text:sub(1, bytes), '\n', { plain = true })
  M.break_undo()
  local stop = rest.column + (whole and #rest.replaced or 0)
  api.nvim_buf_set_text(suggestion.buffer, rest.row, rest.column, rest.row, stop, lines)
  api.nvim_win_set_cursor(0, { rest.row + #lines, (#lines == 1 and rest.column or 0) + #lines[#lines] })
  M.break_undo()
end

return M
